"""MEGABYTE: a global model over patches, a local model over the bytes of one patch (Yu et al. 2023, arXiv 2305.07185, section 2).

Shapes: B batch, T bytes, V ids; of a level: N units, D width; G units of a level in one unit of the next coarser level, its parent.
Alignment: logits[:, t] is the distribution of ids[:, t] given ids[:, :t]; the shifts live inside the model, once, in Level.

Equations 1-6 of the paper, with any number of levels instead of two; every level does the same three things, coarsest first:
  1. a unit is the concatenation of its bytes' embeddings; each unit of a parent sees the unit before it, the first sees a trainable pad (eq. 1-2, 4);
  2. the parent's output is cut into one slice per unit, and one shared matrix projects the slice to this level's width (eq. 3-4);
  3. a causal transformer runs over the units of each parent, over all units on the coarsest level (eq. 2, 5).
The byte embedding of the last level is also the output head (eq. 6).
DIFFERS_FROM_PAPER, in __init__.py, lists the differences from the paper.
"""

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tavu.config import FixedPatchConfig
from tavu.model.interface import Model
from tavu.model.layers import norm, soft_cap
from tavu.model.megabyte.level import Level
from tavu.vocabulary import END


class MegabyteCache:
    """All that a step needs of the ids before it."""

    def __init__(self, model: "Megabyte", rows: int, dtype: torch.dtype):
        device = model.levels[0].pad.device
        self.ids = torch.empty(rows, 0, dtype=torch.long, device=device)
        self.key_values = [level.transformer.empty_cache(rows, dtype, device) for level in model.levels]
        self.contexts: list[Tensor | None] = [None] * len(model.levels)
        """For each level, the context of the units of its current parent, (B, G, D)."""


class Megabyte(Model):
    """ids (B, T) -> logits (B, T, V), through levels of fixed patches."""

    config: FixedPatchConfig

    def __init__(self, config: FixedPatchConfig):
        super().__init__()
        self.config = config
        self.levels = cast(Sequence[Level], nn.ModuleList(Level(config, i) for i in range(len(config.levels))))  # a ModuleList has untyped items

    def read(self, ids: Tensor, *, padded: bool = False) -> Tensor:  # (B, T) -> (B, T)
        return ids

    def predict(self, ids: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:  # (B, T) -> (B, T, V)
        T = ids.size(1)
        ids = F.pad(ids, (0, -T % self.config.levels[0].patch_size), value=END)  # no logit before T sees what comes after
        out = None
        for level in self.levels:
            out = level(ids, out, dtype)  # (B, N, D), N larger at each level, T at the last
        assert out is not None
        return self.head(out)[:, :T]

    def global_attention(self, ids: Tensor) -> Tensor:  # (1, T) -> (layers, K, K)
        level = self.levels[0]
        units = level.embed(F.pad(ids, (0, -ids.size(1) % level.unit_size), value=END))
        shifted = torch.cat((level.pad.expand(1, 1, -1), units[:, :-1]), dim=1)
        return level.transformer.attention_maps(level.combine(shifted, None, shifted.dtype))[:, 0]

    def global_starts(self, ids: Tensor) -> list[int]:
        return list(range(0, ids.size(1), self.levels[0].unit_size))

    def head(self, out: Tensor) -> Tensor:
        """Logits (..., V) float32 from the last level's output (..., D), by its own byte embedding (eq. 6)."""
        return soft_cap(F.linear(norm(out), self.levels[-1].byte_embedding.weight.to(out.dtype)))

    def empty_cache(self, rows: int, dtype: torch.dtype = torch.float32, insist: float = 1.0) -> MegabyteCache:
        return MegabyteCache(self, rows, dtype)

    def prefill(self, ids: Tensor, cache: MegabyteCache) -> Tensor:  # (B, t) -> (B, V)
        by_step = min(ids.size(1), self.levels[-1].reach(ids.size(1)))
        cache.ids = ids[:, : ids.size(1) - by_step]
        out = None
        for i, level in enumerate(self.levels):
            out = level.prefill(cache.ids, cache.contexts[i], cache.key_values[i])
            self.pass_down(i, out, cache)
        assert out is not None
        logits = self.head(out[:, 0])
        for new in ids[:, ids.size(1) - by_step :].unbind(1):
            logits = self.step(new, cache)
        return logits

    def step(self, new: Tensor, cache: MegabyteCache) -> Tensor:  # (B,) -> (B, V)
        cache.ids = torch.cat((cache.ids, new[:, None]), dim=1)
        return self.advance(cache)

    def advance(self, cache: MegabyteCache) -> Tensor:
        """The logits of the next byte, after a step of every level at which a unit begins there."""
        out = None
        for i, level in enumerate(self.levels):
            if cache.ids.size(1) % level.unit_size == 0:
                out = level.step(cache.ids, cache.contexts[i], cache.key_values[i])
                self.pass_down(i, out, cache)
        assert out is not None  # a unit of the last level is one byte
        return self.head(out[:, 0])

    def pass_down(self, i: int, out: Tensor, cache: MegabyteCache) -> None:
        """Compute the context of the next level's units from their parent's output (B, 1, D)."""
        if i + 1 < len(self.levels):
            cache.contexts[i + 1] = self.levels[i + 1].context(out)[:, 0]

    def places_in_patch(self, ids: Tensor) -> Tensor:  # (B, T) -> (B, T)
        return (torch.arange(ids.size(1), device=ids.device) % self.config.levels[-2].patch_size).expand(ids.shape)
