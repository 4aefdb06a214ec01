"""What a teacher is: a model that gives the distribution of every byte of a document.

Shapes: n bytes of a document, V = 257 ids.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np


class Teacher(Protocol):
    """A model whose distributions a student learns from (Hinton et al. 2015, arXiv 1503.02531)."""

    @property
    def name(self) -> str:
        """What a user calls it, as in reports: the name of its run folder or file, or hf:NAME."""
        ...

    @property
    def digest(self) -> str:
        """A digest of everything that its distributions depend on, as hexadecimal text. Soft targets are found again by it."""
        ...

    def log_probs(self, documents: Sequence[bytes]) -> Iterator[np.ndarray]:
        """For each document, in order: (n + 1, V) float32, the natural logarithms of the distribution of each byte and of END (id 256).

        Row t is the distribution of byte t given the bytes before it in the document, and that the document started there; the last row is that of
        the id after the last byte. A document that exceeds the model's context is read in windows that depend only on its own length: each window
        after the first begins half a context before the rows that it contributes. So the other documents change nothing but rounding.
        """
        ...
