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
        padded = np.full((len(sequences), max(map(len, sequences))), END)
        for row, ids in zip(padded, sequences, strict=True):
            row[: len(ids)] = ids
        ids = torch.from_numpy(padded).to(next(self.model.parameters()).device)
        with torch.inference_mode():
            bits = id_bits(self.model(ids, self.dtype), ids).cpu().numpy()
            places = self.model.places_in_patch(ids).cpu().numpy()
        counted = [slice(first, len(ids)) for ids, first in zip(sequences, firsts, strict=True)]
        return [(bits[i, part], places[i, part]) for i, part in enumerate(counted)]


def id_bits(logits: Tensor, ids: Tensor) -> Tensor:
    """The bits of each id: -log2 of its probability. Shapes: logits (B, T, V), ids (B, T), result (B, T) float32."""
    return F.cross_entropy(logits.float().transpose(1, 2), ids, reduction="none") / math.log(2)
