"""What every model does, whatever its design: predict, decode, and say where its patches are.

Shapes: B rows, T positions, V ids, K patches.
Alignment: logits[:, t] is the distribution of ids[:, t] given ids[:, :t]. Prefill and steps give the logits of forward; tests hold them equal.
"""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from tavu.config import ModelConfig


class Model(nn.Module, ABC):
    """An abstract module rather than a Protocol, since a model is used as a torch module too. Each design has a cache of its own type."""

    config: ModelConfig

    def forward(self, ids: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Logits float32, computed in dtype. (B, T) -> (B, T, V)"""
        return self.predict(self.read(ids), dtype)

    @abstractmethod
    def read(self, ids: Tensor, *, padded: bool = False) -> Any:
        """What `predict` needs of ids (B, T). Padded, all of it has one of a few shapes, and the logits are the same."""

    @abstractmethod
    def predict(self, inputs: Any, dtype: torch.dtype = torch.float32) -> Tensor:
        """The logits (B, T, V) of what was read, float32, computed in dtype. It can be compiled: nothing in it depends on the values of ids."""

    @abstractmethod
    def empty_cache(self, rows: int, dtype: torch.dtype = torch.float32, insist: float = 1.0) -> Any:
        """A cache for decoding this many rows. The learned gate of requested words is multiplied by insist, where there is one (SamplingConfig)."""

    @abstractmethod
    def prefill(self, ids: Tensor, cache: Any) -> Tensor:
        """The logits of the byte after the first t < max_seq_len ids of each row, which are read into an empty cache. (B, t) -> (B, V)"""

    @abstractmethod
    def step(self, new: Tensor, cache: Any) -> Tensor:
        """The logits of the next byte, after one more id of each row. (B,) -> (B, V)"""

    @abstractmethod
    def places_in_patch(self, ids: Tensor) -> Tensor:
        """How many bytes of its patch come before each position, (B, T)."""

    @abstractmethod
    def global_starts(self, ids: Tensor) -> list[int]:
        """Where the patches of the global model begin in ids (1, T)."""

    @abstractmethod
    def global_attention(self, ids: Tensor) -> Tensor:
        """The global model's attention in each layer, (1, T) -> (layers, K, K): patch k attends to itself, which stands for patch k - 1, the last
        that it has read, and to those before."""
