"""Causal attention with rotary positions, over a whole sequence, or unit by unit with a cache of keys and values.

Shapes: B sequences, N units, D width, H heads, F head_dim = D / H, M units of a cache, R rows of a cache that take a step.
Positions are rotary (Su et al. 2021, arXiv 2104.09864), queries and keys are normalized (Henry et al. 2020, arXiv 2010.04245).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tavu.config import TransformerConfig
from tavu.model.layers import Linear, norm

LONG = 512
"""On a CPU, sequences up to this long attend by plain matrix products: in bfloat16 they take half the time of the fused kernel."""
VERY_SHORT = 32
"""The same on other devices."""
FIRST_ROOM = 2048
"""Units that a cache has room for before it grows."""

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Queries, keys and values (B, H, N, F) -> what is attended to (B, H, N, F)."""


def rotary_table(num_positions: int, head_dim: int, base: float = 10000.0) -> Tensor:
    """The factors of `rotate` at each position, (2, num_positions, head_dim) float32: cosines, and sines with their signs.

    Source: Su et al. 2021, arXiv 2104.09864, section 3.4.
    """
    frequencies = base ** (-torch.arange(0, head_dim, 2) / head_dim)
    angles = torch.outer(torch.arange(num_positions).float(), frequencies)
    cos, sin = angles.cos(), angles.sin()
    return torch.stack((torch.cat((cos, cos), dim=-1), torch.cat((-sin, sin), dim=-1)))


def rotate(x: Tensor, rotation: Tensor) -> Tensor:
    """x rotated by the angles of its positions. Shapes: x (B, N, 2, H, F), rotation (2, N, 1, 1, F) or (2, B, N, 1, 1, F) in x's dtype."""
    cos, sin = rotation
    a, b = x.chunk(2, dim=-1)
    return torch.addcmul(x * cos, torch.cat((b, a), dim=-1), sin)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Attention by plain matrix products. Shapes: (B, H, N, F) and (B, H, M, F), mask to add (..., N, M)."""
    scores = (q * q.size(-1) ** -0.5) @ k.transpose(-1, -2)
    return (scores if mask is None else scores + mask).softmax(-1) @ v


def causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Each unit attends to itself and the units before it. Shapes: all (B, H, N, F)."""
    N = q.size(-2)
    if (LONG if q.device.type == "cpu" else VERY_SHORT) < N:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return attend(q, k, v, torch.full((N, N), float("-inf"), dtype=q.dtype, device=q.device).triu(1))


def cross_patch_attention(q: Tensor, k: Tensor, v: Tensor, patch_size: int, cross: int) -> Tensor:
    """Each byte attends to its patch up to itself, and to the last `cross` bytes of the patch before (arXiv 2305.07185, section 2.3.2).

    Shapes: all (B, H, N, F), N any number of bytes, a patch every patch_size of them.
    """
    B, H, N, head_dim = q.shape
    P, K = patch_size, -(-N // patch_size)
    q, k, v = (F.pad(x, (0, 0, 0, K * P - N)) for x in (q, k, v))
    k, v = (F.pad(x, (0, 0, cross, 0)).unfold(2, P + cross, P).transpose(-1, -2) for x in (k, v))  # (B, H, K, cross + P, F)
    before_start = torch.arange(-cross, P, device=q.device) < -P * torch.arange(K, device=q.device)[:, None, None]  # (K, 1, cross + P)
    allowed = torch.ones(P, P + cross, dtype=torch.bool, device=q.device).tril(cross) & ~before_start  # (K, P, cross + P)
    out = F.scaled_dot_product_attention(q.view(B, H, K, P, head_dim), k, v, attn_mask=allowed)
    return out.reshape(B, H, K * P, head_dim)[:, :, :N]


class Attention(nn.Module):
    """Self-attention with rotary positions and normalized queries and keys; the caller says what a unit attends to."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.num_heads, self.head_dim = config.num_heads, config.head_dim
        self.query_key_value = Linear(config.dim, 3 * config.dim)
        self.out = Linear(config.dim, config.dim, zero=True)

    def forward(self, x: Tensor, rotation: Tensor, attend: Attend) -> Tensor:  # (B, N, D) -> (B, N, D)
        projected = self.query_key_value(x).unflatten(-1, (3, self.num_heads, self.head_dim))  # (B, N, 3, H, F)
        q, k = rotate(norm(projected[:, :, :2]), rotation).unbind(2)
        heads = attend(*(each.transpose(1, 2) for each in (q, k, projected[:, :, 2])))  # (B, H, N, F)
        return self.out(heads.transpose(1, 2).flatten(2))


class KeyValueCache:
    """Keys and values of the units read so far, for every layer of one transformer, with room that grows up to max_len units in each row."""

    def __init__(self, config: TransformerConfig, rows: int, max_len: int, dtype: torch.dtype, device: torch.device):
        self.max_len = max_len
        shape = (2, config.num_layers, rows, config.num_heads, min(max_len, FIRST_ROOM), config.head_dim)
        self.keys, self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.dtype = dtype
        self.lengths = [0] * rows
        """Units read so far, by row."""

    def make_room(self, num_units: int) -> None:
        """Make room for this many units in each row."""
        room = self.keys.size(3)
        if num_units > room:
            more = min(max(2 * room, num_units), self.max_len) - room
            self.keys, self.values = (F.pad(kept, (0, 0, 0, more)) for kept in (self.keys, self.values))

    def clear(self) -> None:
        self.lengths = [0] * len(self.lengths)


@dataclass(frozen=True)
class StepPlace:
    """Where the units of one step go in a cache, and what they attend to; the same for all layers.

    Shapes: rotation (2, R, 1, 1, 1, F) or (2, 1, 1, 1, F); mask to add (R, 1, 1, M), or None where all rows attend to units first..position.
    """

    rotation: Tensor
    first: int
    position: int
    rows: Tensor | None = None
    positions: Tensor | None = None
    mask: Tensor | None = None

    def attend(self, keys: Tensor, values: Tensor, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend to the units of the cache and the new ones, which are added to it. Shapes: keys, values (rows, H, M, F); q, k, v (R, H, 1, F)."""
        return attend(q, self._add(keys, k), self._add(values, v), self.mask)

    def _add(self, cached: Tensor, new: Tensor) -> Tensor:
        """What to attend to, (R, H, M, F), once the new (R, H, 1, F) is in the cached (rows, H, M, F)."""
        if self.rows is None:
            cached[:, :, self.position] = new[:, :, 0]
            return cached[:, :, self.first : self.position + 1]
        assert self.mask is not None
        cached[self.rows, :, self.positions] = new[:, :, 0]
        return cached[self.rows, :, : self.mask.size(-1)]
