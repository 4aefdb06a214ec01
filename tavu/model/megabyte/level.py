"""One level of MEGABYTE: units made of bytes, and a causal transformer over the units of each parent.

Shapes: B batch, T bytes; of a level: S bytes per unit, N = T / S units, D width, E = D / S width per byte; G units of a level in one unit of the
next coarser level, its parent.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tavu.config import FixedPatchConfig
from tavu.model.attention import KeyValueCache
from tavu.model.layers import Linear, norm
from tavu.model.megabyte.tensors import CONV_WIDTHS
from tavu.model.transformer import Transformer
from tavu.vocabulary import NUM_IDS


class ConvEncoder(nn.Module):
    """Byte embeddings that depend on the bytes before them: residual causal convolutions (arXiv 2305.07185, section 2.3.1)."""

    reach = sum(width - 1 for width in CONV_WIDTHS)

    def __init__(self, dim: int):
        super().__init__()
        self.weights = nn.ParameterList(nn.Parameter(torch.zeros(dim, dim, width)) for width in CONV_WIDTHS)

    def forward(self, x: Tensor) -> Tensor:  # (B, T, E) -> (B, T, E)
        x = x.transpose(1, 2)
        for weight in self.weights:
            x = x + F.conv1d(F.pad(x, (weight.size(-1) - 1, 0)), weight.to(x.dtype))
        return x.transpose(1, 2)


class Level(nn.Module):
    """One level: from the bytes and the parent's output to one vector per unit."""

    def __init__(self, config: FixedPatchConfig, index: int):
        super().__init__()
        own, parent = config.levels[index], config.levels[index - 1] if index else None
        self.unit_size = own.patch_size
        self.parent_size = parent.patch_size if parent else config.max_seq_len
        self.units_per_parent = self.parent_size // self.unit_size
        byte_dim = own.dim // self.unit_size
        self.byte_embedding = nn.Embedding(NUM_IDS, byte_dim)
        self.positions = None if parent else nn.Parameter(torch.zeros(config.max_seq_len, byte_dim))
        self.conv = ConvEncoder(byte_dim) if config.conv_encoder and not parent else None
        self.pad = nn.Parameter(torch.empty(own.dim))
        self.from_parent = Linear(parent.dim // self.units_per_parent, own.dim) if parent else None
        self.cross = config.cross_patch_bytes if index == len(config.levels) - 1 else 0
        if self.cross:
            self.transformer = Transformer(own.transformer, config.max_seq_len, (self.parent_size, self.cross))
        else:
            self.transformer = Transformer(own.transformer, self.units_per_parent)
        nn.init.normal_(self.byte_embedding.weight, std=0.5 * byte_dim**-0.5)
        nn.init.normal_(self.pad, std=0.5)

    def forward(self, ids: Tensor, parent_out: Tensor | None, dtype: torch.dtype) -> Tensor:
        """The transformer's output at every unit. Shapes: ids (B, T), parent_out (B, parents, its D), result (B, N, D)."""
        units = self.embed(ids)  # (B, N, D)
        B, N, D = units.shape
        units = units.view(-1, min(N, self.units_per_parent), D)  # (B * parents, G, D)
        shifted = torch.cat((self.pad.expand(units.size(0), 1, D), units[:, :-1]), dim=1)
        context = None if parent_out is None else self.context(parent_out).view(units.shape)
        x = self.combine(shifted, context, dtype)
        return self.transformer(x.view(B, N, D) if self.cross else x).view(B, N, D)

    def embed(self, ids: Tensor, start: int = 0) -> Tensor:
        """The embedding of each unit (eq. 1). Shapes: ids (B, T), which begin `start` bytes into the row; result (B, N, D)."""
        x = self.byte_embedding(ids) * self.byte_embedding.embedding_dim**0.5  # (B, T, E)
        if self.positions is not None:
            x = x + self.positions[start : start + ids.size(1)]
        if self.conv is not None and ids.size(1):
            x = self.conv(x)
        return x.unflatten(1, (-1, self.unit_size)).flatten(2)

    def context(self, parent_out: Tensor) -> Tensor:
        """The context of each unit, from its own slice of its parent's output (eq. 3-4). Shapes: (B, parents, its D) -> (B, parents, G, D)."""
        assert self.from_parent is not None
        return self.from_parent(norm(parent_out).unflatten(-1, (self.units_per_parent, -1)))

    def combine(self, shifted: Tensor, context: Tensor | None, dtype: torch.dtype) -> Tensor:
        """The transformer's input: the unit before (or the pad), and the parent's context. Shapes: all (..., D)."""
        return norm(shifted.to(dtype) if context is None else shifted.to(dtype) + context)

    def reach(self, num_bytes: int) -> int:
        """How many of a row's last bytes prefill must read one by one, after reading those before them at once.

        0, unless bytes attend to the patch before theirs. Then it is the bytes of the current patch, and of as many patches before it as there are
        layers, since each layer depends on one patch more.
        """
        return num_bytes % self.parent_size + self.transformer.config.num_layers * self.parent_size if self.cross else 0

    def prefill(self, ids: Tensor, context: Tensor | None, cache: KeyValueCache) -> Tensor:
        """The output of the unit that the next byte falls in, from all ids (B, t) of the row. Shapes: context (B, G, D), result (B, 1, D)."""
        start = ids.size(1) // self.parent_size * self.parent_size
        if self.cross:  # a patch begins here, and no later output depends on those before it: see reach
            cache.lengths = [start] * ids.size(0)
            return self.step(ids, context, cache)
        complete = (ids.size(1) - start) // self.unit_size  # units of the current parent
        units = self.embed(ids[:, start : start + complete * self.unit_size], start)
        shifted = torch.cat((self.pad.expand(ids.size(0), 1, -1), units), dim=1)
        x = self.combine(shifted, None if context is None else context[:, : complete + 1], cache.dtype)
        return self.transformer.prefill(x, cache)[:, -1:]

    def step(self, ids: Tensor, context: Tensor | None, cache: KeyValueCache) -> Tensor:
        """prefill's output, when all but the newest unit is in the cache already."""
        t = ids.size(1)
        start = t // self.parent_size * self.parent_size
        if t == start:  # a parent begins
            shifted = self.pad.expand(ids.size(0), 1, -1)
            if not self.cross:
                cache.clear()
        else:
            reach = self.conv.reach if self.conv is not None else 0
            begin = max(0, t - self.unit_size - reach) // self.unit_size * self.unit_size
            shifted = self.embed(ids[:, begin:], begin)[:, -1:]
        unit = (t - start) // self.unit_size
        x = self.combine(shifted, None if context is None else context[:, unit : unit + 1], cache.dtype)
        return self.transformer.step(x, cache, first=max(0, start - self.cross) if self.cross else 0)
