"""MEGABYTE: a global model over patches, a local model over the bytes of one patch (Yu et al. 2023, arXiv 2305.07185, section 2).

Shapes: B batch, T bytes, V ids; of a level: S bytes per unit, N = T / S units, D width, E = D / S width per byte;
G units of a level in one unit of the next coarser level, its parent.
Alignment: logits[:, t] is the distribution of ids[:, t] given ids[:, :t]; the shifts live inside the model, once, in Level.inputs.

Equations 1-6 of the paper, with any number of levels instead of two; every level does the same three things, coarsest first:
  1. a unit is the concatenation of its bytes' embeddings; each unit of a parent sees the unit before it, the first sees a trainable pad (eq. 1-2, 4);
  2. the parent's output is cut into one slice per unit, and one shared matrix projects the slice to this level's width (eq. 3-4);
  3. a causal transformer runs over the units of each parent, over all units on the coarsest level (eq. 2, 5).
The byte embedding of the last level is also the output head (eq. 6).
How it differs from the paper is told in DIFFERS_FROM_PAPER.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tavu.config import FixedPatchConfig
from tavu.model.tensors import CONV_WIDTHS
from tavu.model.transformer import KeyValueCache, Linear, Transformer, norm, soft_cap
from tavu.vocabulary import END, NUM_IDS

DIFFERS_FROM_PAPER = """\
Follows equations 1-6 of MEGABYTE (Yu et al. 2023, arXiv 2305.07185): patches of a fixed number of bytes, trainable pads, one projection shared by
the slices of the global output, the head tied to the local byte embedding. Differs:
- the blocks are today's: layer norms without parameters, rotary positions, normalized queries and keys, squared ReLU, no biases, no dropout
  (paper: norms with parameters, no rotary positions within a patch, ReLU, biases, dropout 0.1);
- embeddings are multiplied by the square root of their width on the way in (Vaswani et al. 2017, arXiv 1706.03762, section 3.4), so that the head
  tied to them learns as fast as a head of its own, and logits are bent to stay within +-15;
- END, a 257th id, starts and ends every document;
- any number of levels (paper: two);
- trained with Muon and AdamW (paper: Adam)."""


class ConvEncoder(nn.Module):
    """Byte embeddings that know the bytes before them: residual causal convolutions (section 2.3.1)."""

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
            self.transformer = Transformer(own, config.max_seq_len, (self.parent_size, self.cross))
        else:
            self.transformer = Transformer(own, self.units_per_parent)
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
        """What each unit hears from its own slice of its parent's output (eq. 3-4). Shapes: (B, parents, its D) -> (B, parents, G, D)."""
        return self.from_parent(norm(parent_out).unflatten(-1, (self.units_per_parent, -1)))

    def combine(self, shifted: Tensor, context: Tensor | None, dtype: torch.dtype) -> Tensor:
        """What the transformer reads: the unit before (or the pad), and the parent's context. Shapes: all (..., D)."""
        return norm(shifted.to(dtype) if context is None else shifted.to(dtype) + context)

    def reach(self, num_bytes: int) -> int:
        """How many of a row's newest bytes have to be read one by one once all before them are in the caches.

        Where bytes attend to the patch before theirs: those of the current patch, and of as many patches before it as there are layers, each of
        which brings in what the patch before has heard of.
        """
        return num_bytes % self.parent_size + self.transformer.config.num_layers * self.parent_size if self.cross else 0

    def prefill(self, ids: Tensor, context: Tensor | None, cache: KeyValueCache) -> Tensor:
        """The output of the unit that the next byte falls in, from all ids (B, t) of the row. Shapes: context (B, G, D), result (B, 1, D)."""
        start = ids.size(1) // self.parent_size * self.parent_size
        if self.cross:  # a patch begins, whose outputs none will need: see reach
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


class MegabyteCache:
    """All that a step needs of the ids before it."""

    def __init__(self, model: "Megabyte", rows: int, dtype: torch.dtype):
        device = model.levels[0].pad.device
        self.ids = torch.empty(rows, 0, dtype=torch.long, device=device)
        self.key_values = [level.transformer.empty_cache(rows, dtype, device) for level in model.levels]
        self.contexts: list[Tensor | None] = [None] * len(model.levels)
        """For each level, what the units of its current parent hear from it, (B, G, D)."""


class Megabyte(nn.Module):
    """ids (B, T) -> logits (B, T, V), through levels of fixed patches."""

    differs_from_paper = DIFFERS_FROM_PAPER

    def __init__(self, config: FixedPatchConfig):
        super().__init__()
        self.config = config
        self.levels = nn.ModuleList(Level(config, i) for i in range(len(config.levels)))

    def forward(self, ids: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:  # (B, T) -> (B, T, V)
        T = ids.size(1)
        ids = F.pad(ids, (0, -T % self.config.levels[0].patch_size), value=END)  # no logit before T sees what comes after
        out = None
        for level in self.levels:
            out = level(ids, out, dtype)  # (B, N, D), N larger at each level, T at the last
        return self.head(out)[:, :T]

    def global_attention(self, ids: Tensor) -> Tensor:
        """What the patch at each place attends to in each layer of the coarsest level: itself, which stands for the one before, and those before.

        Shapes: (1, T) -> (layers, K, K).
        """
        level = self.levels[0]
        units = level.embed(F.pad(ids, (0, -ids.size(1) % level.unit_size), value=END))
        shifted = torch.cat((level.pad.expand(1, 1, -1), units[:, :-1]), dim=1)
        return level.transformer.attention_maps(level.combine(shifted, None, shifted.dtype))[:, 0]

    def global_starts(self, ids: Tensor) -> list[int]:
        """Where the patches of the coarsest level begin in ids (1, T)."""
        return list(range(0, ids.size(1), self.levels[0].unit_size))

    def head(self, out: Tensor) -> Tensor:
        """Logits (..., V) float32 from the last level's output (..., D), by its own byte embedding (eq. 6)."""
        return soft_cap(F.linear(norm(out), self.levels[-1].byte_embedding.weight.to(out.dtype)))

    def empty_cache(self, rows: int, dtype: torch.dtype = torch.float32) -> MegabyteCache:
        return MegabyteCache(self, rows, dtype)

    def prefill(self, ids: Tensor, cache: MegabyteCache) -> Tensor:  # (B, t) -> (B, V)
        """The logits of the byte after the first t < max_seq_len ids of each row, which are read into an empty cache."""
        by_step = min(ids.size(1), self.levels[-1].reach(ids.size(1)))
        cache.ids = ids[:, : ids.size(1) - by_step]
        for i, level in enumerate(self.levels):
            out = level.prefill(cache.ids, cache.contexts[i], cache.key_values[i])
            self.pass_down(i, out, cache)
        logits = self.head(out[:, 0])
        for new in ids[:, ids.size(1) - by_step :].unbind(1):
            logits = self.step(new, cache)
        return logits

    def step(self, new: Tensor, cache: MegabyteCache) -> Tensor:  # (B,) -> (B, V)
        """The logits of the next byte, after one more id of each row."""
        cache.ids = torch.cat((cache.ids, new[:, None]), dim=1)
        return self.advance(cache)

    def advance(self, cache: MegabyteCache) -> Tensor:
        """The logits of the next byte, once every level at which a unit begins there has taken its step."""
        for i, level in enumerate(self.levels):
            if cache.ids.size(1) % level.unit_size == 0:
                out = level.step(cache.ids, cache.contexts[i], cache.key_values[i])
                self.pass_down(i, out, cache)
        return self.head(out[:, 0])

    def pass_down(self, i: int, out: Tensor, cache: MegabyteCache) -> None:
        """Tell the units of the next level what their parent's output (B, 1, D) says."""
        if i + 1 < len(self.levels):
            cache.contexts[i + 1] = self.levels[i + 1].context(out)[:, 0]

    def places_in_patch(self, ids: Tensor) -> Tensor:
        """How many bytes of its patch come before each position, (B, T)."""
        return (torch.arange(ids.size(1), device=ids.device) % self.config.levels[-2].patch_size).expand(ids.shape)
