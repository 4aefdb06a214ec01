"""The PyTorch Scorer (bits_per_byte.py): any model, on any device and in any precision.

Shapes: B rows, T positions, V ids.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tavu.model.interface import Model
from tavu.vocabulary import END


class TorchScorer:
    """The bits of ids in a torch module."""

    def __init__(self, model: Model, dtype: torch.dtype = torch.float32):
        self.model, self.config, self.dtype = model, model.config, dtype

    def score(self, sequences: Sequence[np.ndarray], firsts: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Score all sequences as one batch; see Scorer."""
        ids = self._padded(sequences)
        with torch.inference_mode():
            bits = id_bits(self.model(ids, self.dtype), ids).cpu().numpy()
            places = self.model.places_in_patch(ids).cpu().numpy()
        counted = [slice(first, len(ids)) for ids, first in zip(sequences, firsts, strict=True)]
        return [(bits[i, part], places[i, part]) for i, part in enumerate(counted)]

    def logits(self, sequences: Sequence[np.ndarray], firsts: Sequence[int]) -> list[np.ndarray]:
        """The logits (T - first, V) float32 of the ids of each sequence (T,) from `first` on, all sequences as one batch."""
        with torch.inference_mode():
            logits = self.model(self._padded(sequences), self.dtype).float().cpu().numpy()
        return [logits[i, first : len(ids)] for i, (ids, first) in enumerate(zip(sequences, firsts, strict=True))]

    def _padded(self, sequences: Sequence[np.ndarray]) -> Tensor:
        """The sequences as ids (B, T) on the model's device, with END after the shorter ones."""
        padded = np.full((len(sequences), max(map(len, sequences))), END)
        for row, ids in zip(padded, sequences, strict=True):
            row[: len(ids)] = ids
        return torch.from_numpy(padded).to(next(self.model.parameters()).device)


def id_bits(logits: Tensor, ids: Tensor) -> Tensor:
    """The bits of each id: -log2 of its probability. Shapes: logits (B, T, V), ids (B, T), result (B, T) float32."""
    return F.cross_entropy(logits.float().transpose(1, 2), ids, reduction="none") / math.log(2)
