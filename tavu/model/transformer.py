"""The transformer that every level is made of: pre-norm blocks of causal attention and a ReLU-squared MLP.

Shapes: B sequences, N units, D width, H heads, F head_dim = D / H, M units of a cache.
Norms have no parameters, positions are rotary (Su et al. 2021, arXiv 2104.09864), queries and keys are normalized (Henry et al. 2020,
arXiv 2010.04245), the MLP squares its ReLU (So et al. 2021, arXiv 2109.08668), output projections start at zero, nothing has a bias.
Weights are kept in float32 and used in the dtype of what they are applied to, so the dtype of the first embedding is the precision of the model.

Training forward, prefill and step are three functions over the same layers; tests hold them equal.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tavu.config import LevelConfig

LONG = 512
"""On a CPU, sequences up to this long attend by plain matrix products: in bfloat16 they take half the time of the fused kernel."""
VERY_SHORT = 32
"""The same elsewhere."""


def norm(x: Tensor) -> Tensor:
    """x with mean 0 and variance 1 along its last dimension (a layer norm, which CPU kernels do several times faster than an RMS norm)."""
    return torch.layer_norm(x, (x.size(-1),))


def soft_cap(logits: Tensor, cap: float = 15.0) -> Tensor:
    """Logits bent smoothly to stay within +-cap, float32 (Gemma 2, arXiv 2408.00118, section 2)."""
    return cap * torch.tanh(logits.float() / cap)


class Linear(nn.Module):
    """x @ weight.T, the weight used in x's dtype. Starts uniform with variance 1 / (3 in_dim), or at zero."""

    def __init__(self, in_dim: int, out_dim: int, *, zero: bool = False):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_dim, in_dim))
        bound = 0.0 if zero else in_dim**-0.5
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:  # (..., in_dim) -> (..., out_dim)
        return F.linear(x, self.weight.to(x.dtype))

    def lay_out_for_vectors(self) -> None:
        """Store a matrix that widens with its outputs contiguous: multiplied with one vector at a time, as in writing, it is read twice as fast."""
        if self.weight.size(0) > self.weight.size(1):
            self.weight.data = self.weight.data.t().contiguous().t()


def rotary_table(num_positions: int, head_dim: int, base: float = 10000.0) -> Tensor:
    """What `rotate` multiplies with at each position, (2, num_positions, head_dim) float32: cosines, and sines with their signs.

    Source: Su et al. 2021, arXiv 2104.09864, section 3.4.
    """
    frequencies = base ** (-torch.arange(0, head_dim, 2) / head_dim)
    angles = torch.outer(torch.arange(num_positions).float(), frequencies)
    cos, sin = angles.cos(), angles.sin()
    return torch.stack((torch.cat((cos, cos), dim=-1), torch.cat((-sin, sin), dim=-1)))


def rotate(x: Tensor, rotation: Tensor) -> Tensor:
    """x turned by the angles of its positions. Shapes: x (B, N, 2, H, F), rotation (2, N, 1, 1, F) or (2, B, N, 1, 1, F) in x's dtype."""
    cos, sin = rotation
    a, b = x.chunk(2, dim=-1)
    return torch.addcmul(x * cos, torch.cat((b, a), dim=-1), sin)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """What queries read from keys and values, by plain matrix products. Shapes: (B, H, N, F) and (B, H, M, F), mask to add (..., N, M)."""
    scores = (q * q.size(-1) ** -0.5) @ k.transpose(-1, -2)
    return (scores if mask is None else scores + mask).softmax(-1) @ v


def causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """What each unit reads from itself and the units before it. Shapes: all (B, H, N, F)."""
    N = q.size(-2)
    if (LONG if q.device.type == "cpu" else VERY_SHORT) < N:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return attend(q, k, v, torch.full((N, N), float("-inf"), dtype=q.dtype, device=q.device).triu(1))


def cross_patch_attention(q: Tensor, k: Tensor, v: Tensor, patch_size: int, cross: int) -> Tensor:
    """What each byte reads from its patch up to itself, and from the last `cross` bytes of the patch before (arXiv 2305.07185, section 2.3.2).

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


FIRST_ROOM = 2048
"""Units that a cache has room for before it grows."""
FIRST_ROTATIONS = 1 << 14
"""Positions whose angles are computed before they are asked for."""


class KeyValueCache:
    """Keys and values of the units read so far, for every layer of one transformer, with room that grows up to max_len units in each row."""

    def __init__(self, config: LevelConfig, rows: int, max_len: int, dtype: torch.dtype, device: torch.device):
        self.max_len = max_len
        shape = (2, config.num_layers, rows, config.num_heads, min(max_len, FIRST_ROOM), config.head_dim)
        self.keys, self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.dtype = dtype
        self.lengths = [0] * rows
        """Units read so far, by row."""

    def make_room(self, num_units: int) -> None:
        """Room for so many units in each row."""
        room = self.keys.size(3)
        if num_units > room:
            more = min(max(2 * room, num_units), self.max_len) - room
            self.keys, self.values = (F.pad(kept, (0, 0, 0, more)) for kept in (self.keys, self.values))

    def clear(self) -> None:
        self.lengths = [0] * len(self.lengths)


@dataclass(frozen=True)
class Place:
    """Where the units of one step go in a cache, and what they may attend to; worked out once for all layers.

    Shapes: rotation (2, R, 1, 1, 1, F) or (2, 1, 1, 1, F); mask to add (R, 1, 1, M), or None where all rows attend to units first..position.
    """

    rotation: Tensor
    first: int
    position: int
    rows: Tensor | None = None
    positions: Tensor | None = None
    mask: Tensor | None = None

    def write(self, cached: Tensor, new: Tensor) -> Tensor:
        """What to attend to, (R, H, M, F), once the new (R, 1, H, F) is in the cached (rows, H, M, F)."""
        if self.rows is None:
            cached[:, :, self.position] = new[:, 0]
            return cached[:, :, self.first : self.position + 1]
        cached[self.rows, :, self.positions] = new[:, 0]
        return cached[self.rows, :, : self.mask.size(-1)]


class RowDropout(nn.Dropout):
    """Leaves out whole rows that were read from a table, (..., D), so that nothing comes to rely on one of them alone."""

    def forward(self, rows: Tensor) -> Tensor:
        kept = super().forward(rows.new_ones(rows.shape[:-1])) if self.training and self.p else None
        return rows if kept is None else rows * kept[..., None]


def set_dropout(model: nn.Module, share: float) -> None:
    """Let a model leave out this share of what its parts say, as long as it is in training (Srivastava et al. 2014, JMLR 15)."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = share


class Attention(nn.Module):
    """Causal self-attention with rotary positions and normalized queries and keys; within patches and across their borders if `patch` says so."""

    def __init__(self, config: LevelConfig, patch: tuple[int, int] | None):
        super().__init__()
        self.num_heads, self.head_dim, self.patch = config.num_heads, config.head_dim, patch
        self.query_key_value = Linear(config.dim, 3 * config.dim)
        self.out = Linear(config.dim, config.dim, zero=True)

    def project(self, x: Tensor, rotation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each (B, N, H, F), of x (B, N, D)."""
        projected = self.query_key_value(x).unflatten(-1, (3, self.num_heads, self.head_dim))
        q, k = rotate(norm(projected[:, :, :2]), rotation).unbind(2)
        return q, k, projected[:, :, 2]

    def forward(self, x: Tensor, rotation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The attended x (B, N, D), and the keys and values (B, H, N, F) that a cache may keep."""
        q, k, v = (heads.transpose(1, 2) for heads in self.project(x, rotation))
        attended = causal_attention(q, k, v) if self.patch is None else cross_patch_attention(q, k, v, *self.patch)
        return self.join(attended), k, v

    def step(self, x: Tensor, place: Place, keys: Tensor, values: Tensor) -> Tensor:  # (R, 1, D) -> (R, 1, D)
        """The attended x of one new unit in each row, whose key and value go into this layer's cache."""
        q, k, v = self.project(x, place.rotation)
        k, v = place.write(keys, k), place.write(values, v)
        return self.join(attend(q.transpose(1, 2), k, v, place.mask))

    def join(self, heads: Tensor) -> Tensor:  # (B, H, N, F) -> (B, N, D)
        return self.out(heads.transpose(1, 2).flatten(2))


class MLP(nn.Module):
    """Two linear maps with a squared ReLU between them."""

    def __init__(self, config: LevelConfig):
        super().__init__()
        self.up = Linear(config.dim, config.mlp_dim)
        self.down = Linear(config.mlp_dim, config.dim, zero=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.relu(self.up(x)).square())


class Block(nn.Module):
    """One layer: x plus what it attends to, plus what an MLP makes of that."""

    def __init__(self, config: LevelConfig, patch: tuple[int, int] | None):
        super().__init__()
        self.attention = Attention(config, patch)
        self.mlp = MLP(config)


class Transformer(nn.Module):
    """A stack of blocks over sequences of up to max_len units.

    With patch = (patch_size, cross) the units are bytes of a whole row, and attention is cross_patch_attention.
    """

    def __init__(self, config: LevelConfig, max_len: int, patch: tuple[int, int] | None = None):
        super().__init__()
        self.config, self.max_len = config, max_len
        self.blocks = nn.ModuleList(Block(config, patch) for _ in range(config.num_layers))
        self.dropout = nn.Dropout(0.0)
        """Of what each part of a block adds, in training; see set_dropout."""
        self.make_rotations("cpu")

    def make_rotations(self, device: torch.device | str) -> None:
        """(Re)compute the angles of the first positions, which are derived and in no file."""
        with torch.device(device):
            self.register_buffer("rotations", rotary_table(min(self.max_len, FIRST_ROTATIONS), self.config.head_dim), persistent=False)

    def forward(self, x: Tensor) -> Tensor:  # (B, N, D) -> (B, N, D)
        rotation = self.rotation(slice(x.size(1)), x.dtype)
        for block in self.blocks:
            x = x + self.dropout(block.attention(norm(x), rotation)[0])
            x = x + self.dropout(block.mlp(norm(x)))
        return x

    def attention_maps(self, x: Tensor) -> Tensor:
        """What each unit attends to in each layer, the mean of the heads: (B, N, D) -> (num_layers, B, N, N), each row a distribution over units."""
        rotation = self.rotation(slice(x.size(1)), x.dtype)
        later = torch.ones(x.size(1), x.size(1), dtype=torch.bool, device=x.device).triu(1)
        maps = []
        for block in self.blocks:
            q, k, _ = (heads.transpose(1, 2) for heads in block.attention.project(norm(x), rotation))
            scores = (q * q.size(-1) ** -0.5) @ k.transpose(-1, -2)
            maps.append(scores.masked_fill(later, float("-inf")).softmax(-1).mean(1))
            x = x + block.attention(norm(x), rotation)[0]
            x = x + block.mlp(norm(x))
        return torch.stack(maps)

    def empty_cache(self, rows: int, dtype: torch.dtype, device: torch.device) -> KeyValueCache:
        return KeyValueCache(self.config, rows, self.max_len, dtype, device)

    def prefill(self, x: Tensor, cache: KeyValueCache) -> Tensor:  # (B, N, D) -> (B, N, D)
        """forward(x), its keys and values kept in an empty cache."""
        B, N, _ = x.shape
        rotation = self.rotation(slice(N), x.dtype)
        cache.make_room(N)
        for i, block in enumerate(self.blocks):
            attended, cache.keys[i, :, :, :N], cache.values[i, :, :, :N] = block.attention(norm(x), rotation)
            x = x + attended
            x = x + block.mlp(norm(x))
        cache.lengths = [N] * B
        return x

    def step(self, x: Tensor, cache: KeyValueCache, *, first: int = 0, rows: list[int] | None = None) -> Tensor:  # (R, 1, D) -> (R, 1, D)
        """What forward gives for the next unit, which attends to units `first` and on; only of the given rows where rows differ in length."""
        cache.make_room(max(cache.lengths) + 1)
        place = self.place(cache, first) if rows is None else self.place_in_rows(cache, rows)
        for i, block in enumerate(self.blocks):
            x = x + block.attention.step(norm(x), place, cache.keys[i], cache.values[i])
            x = x + block.mlp(norm(x))
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

    def place(self, cache: KeyValueCache, first: int) -> Place:
        position = cache.lengths[0]
        return Place(self.rotation(slice(position, position + 1), cache.dtype), first, position)

    def place_in_rows(self, cache: KeyValueCache, rows: list[int]) -> Place:
        device = self.rotations.device
        positions = torch.tensor([cache.lengths[row] for row in rows], device=device)
        longest = int(positions.max())
        later = torch.arange(longest + 1, device=device) > positions[:, None]
        mask = torch.zeros(later.shape, dtype=cache.dtype, device=device).masked_fill(later, float("-inf"))[:, None, None]
        return Place(self.rotation(positions[:, None], cache.dtype), 0, longest, torch.tensor(rows, device=device), positions, mask)
