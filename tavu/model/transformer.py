"""The transformer that every level is made of: pre-norm blocks of causal attention and a ReLU-squared MLP.

Norms have no parameters, output projections start at zero, nothing has a bias. Training forward, prefill and step are separate functions over the
same blocks, which differ in what attends to what; tests hold them equal.

Shapes: B sequences, N units, D width, H heads, F head_dim, R rows of a cache that take a step.
"""

from functools import partial

import torch
from torch import Tensor, nn

from tavu.config import TransformerConfig
from tavu.model.attention import Attend, Attention, KeyValueCache, StepPlace, causal_attention, cross_patch_attention, rotary_table
from tavu.model.layers import MLP, norm

FIRST_ROTATIONS = 1 << 14
"""Positions whose angles are computed before they are needed."""


class Block(nn.Module):
    """One layer: attention and an MLP, each added to its input."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.attention = Attention(config)
        self.mlp = MLP(config.dim, config.mlp_dim)
        self.dropout = nn.Dropout(0.0)
        """Of what attention and MLP add; see set_dropout."""

    def forward(self, x: Tensor, rotation: Tensor, attend: Attend) -> Tensor:  # (B, N, D) -> (B, N, D)
        x = x + self.dropout(self.attention(norm(x), rotation, attend))
        return x + self.dropout(self.mlp(norm(x)))


class Transformer(nn.Module):
    """A stack of blocks over sequences of up to max_len units.

    With patch = (patch_size, cross) the units are bytes of a whole row, and attention is cross_patch_attention.
    """

    def __init__(self, config: TransformerConfig, max_len: int, patch: tuple[int, int] | None = None):
        super().__init__()
        self.config, self.max_len, self.patch = config, max_len, patch
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.make_rotations("cpu")
        self.register_load_state_dict_post_hook(lambda transformer, _: transformer.make_rotations(next(transformer.parameters()).device))

    def make_rotations(self, device: torch.device | str) -> None:
        """(Re)compute the angles of the first positions, which are derived and not stored."""
        with torch.device(device):
            self.register_buffer("rotations", rotary_table(min(self.max_len, FIRST_ROTATIONS), self.config.head_dim), persistent=False)

    def forward(self, x: Tensor) -> Tensor:  # (B, N, D) -> (B, N, D)
        rotation = self.rotation(slice(x.size(1)), x.dtype)
        for block in self.blocks:
            x = block(x, rotation, self.attend)
        return x

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return causal_attention(q, k, v) if self.patch is None else cross_patch_attention(q, k, v, *self.patch)

    def attention_maps(self, x: Tensor) -> Tensor:
        """The attention weights of each layer, the mean of the heads: (B, N, D) -> (num_layers, B, N, N), each row a distribution over units."""
        maps: list[Tensor] = []
        later = torch.ones(x.size(1), x.size(1), dtype=torch.bool, device=x.device).triu(1)

        def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            scores = (q * q.size(-1) ** -0.5) @ k.transpose(-1, -2)
            maps.append(scores.masked_fill(later, float("-inf")).softmax(-1).mean(1))
            return self.attend(q, k, v)

        rotation = self.rotation(slice(x.size(1)), x.dtype)
        for block in self.blocks:
            x = block(x, rotation, attend)
        return torch.stack(maps)

    def empty_cache(self, rows: int, dtype: torch.dtype, device: torch.device) -> KeyValueCache:
        return KeyValueCache(self.config, rows, self.max_len, dtype, device)

    def prefill(self, x: Tensor, cache: KeyValueCache) -> Tensor:  # (B, N, D) -> (B, N, D)
        """forward(x), its keys and values kept in an empty cache."""
        B, N, _ = x.shape
        cache.make_room(N)

        def attend(keys: Tensor, values: Tensor, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            keys[:, :, :N], values[:, :, :N] = k, v
            return self.attend(q, k, v)

        rotation = self.rotation(slice(N), x.dtype)
        for i, block in enumerate(self.blocks):
            x = block(x, rotation, partial(attend, cache.keys[i], cache.values[i]))
        cache.lengths = [N] * B
        return x

    def step(self, x: Tensor, cache: KeyValueCache, *, first: int = 0, rows: list[int] | None = None) -> Tensor:  # (R, 1, D) -> (R, 1, D)
        """What forward gives for the next unit, which attends to units `first` and on; only of the given rows where rows differ in length."""
        cache.make_room(max(cache.lengths) + 1)
        place = self.place(cache, first) if rows is None else self.place_in_rows(cache, rows)
        for i, block in enumerate(self.blocks):
            x = block(x, place.rotation, partial(place.attend, cache.keys[i], cache.values[i]))
        for row in range(len(cache.lengths)) if rows is None else rows:
            cache.lengths[row] += 1
        return x

    def rotation(self, positions: slice | Tensor, dtype: torch.dtype) -> Tensor:
        """The rotations of some positions, as `rotate` takes them."""
        kept = self.rotations.size(1)
        if kept < self.max_len and (num := positions.stop if isinstance(positions, slice) else int(positions.max()) + 1) > kept:
            with torch.inference_mode(False):  # training may use them too
                self.rotations = rotary_table(min(2 * num, self.max_len), self.config.head_dim).to(self.rotations.device)
        return self.rotations[:, positions, None, None].to(dtype)

    def place(self, cache: KeyValueCache, first: int) -> StepPlace:
        position = cache.lengths[0]
        return StepPlace(self.rotation(slice(position, position + 1), cache.dtype), first, position)

    def place_in_rows(self, cache: KeyValueCache, rows: list[int]) -> StepPlace:
        device = self.rotations.device
        positions = torch.tensor([cache.lengths[row] for row in rows], device=device)
        longest = int(positions.max())
        later = torch.arange(longest + 1, device=device) > positions[:, None]
        mask = torch.zeros(later.shape, dtype=cache.dtype, device=device).masked_fill(later, float("-inf"))[:, None, None]
        return StepPlace(self.rotation(positions[:, None], cache.dtype), 0, longest, torch.tensor(rows, device=device), positions, mask)
