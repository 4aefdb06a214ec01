"""What a model costs, part by part: parameters, FLOPs per byte of a forward pass, bytes of cache while it writes. From its config, without torch.

FLOPs are those of matrix products, two for each multiplication and addition, attention counted over a full context, as
torch.utils.flop_counter counts them. Training costs about three times as many.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tavu.config import FixedPatchConfig, LevelConfig, ModelConfig, WordPatchConfig
from tavu.model.tensors import CONV_WIDTHS, TensorSpec, tensor_specs
from tavu.model.words.rows import NUM_HINTS
from tavu.vocabulary import NUM_IDS

BYTES_PER_WORD = 5.0
"""Of English words with the space after them; a trained model's facts have the average of its text."""

Specs = Mapping[str, TensorSpec]


@dataclass(frozen=True)
class Part:
    """One part of a model, its own parts, and their totals."""

    name: str
    num_parameters: int
    flops_per_byte: float
    cache_bytes: int
    """Of one text of full context, in float32."""
    parts: tuple["Part", ...] = ()

    def to_dict(self) -> dict[str, Any]:
        own = {"name": self.name, "num_parameters": self.num_parameters, "flops_per_byte": self.flops_per_byte, "cache_bytes": self.cache_bytes}
        return own | ({"parts": [part.to_dict() for part in self.parts]} if self.parts else {})


def cost(config: ModelConfig, *, bytes_per_patch: float = BYTES_PER_WORD) -> Part:
    """The tree of parts of a model. bytes_per_patch is the average length of its words; fixed patches have their own."""
    specs = tensor_specs(config)
    return _cost_of_fixed_patches(config, specs) if isinstance(config, FixedPatchConfig) else _cost_of_words(config, specs, bytes_per_patch)


def _whole(name: str, *parts: Part) -> Part:
    return Part(name, *(sum(getattr(part, key) for part in parts) for key in ("num_parameters", "flops_per_byte", "cache_bytes")), parts)


def _leaf(name: str, num_parameters: int, *, flops: float = 0.0, cache_bytes: int = 0) -> Part:
    return Part(name, num_parameters, flops, cache_bytes)


def _count(specs: Specs, start: str, inside: str = "", *, ndim: int | None = None) -> int:
    """Parameters of the tensors whose names start so and have `inside` in them, of ndim dimensions where that is given."""
    found = (spec for name, spec in specs.items() if name.startswith(start) and inside in name)
    return sum(spec.size for spec in found if spec.role != "buffer" and ndim in (None, len(spec.shape)))


def _transformer(specs: Specs, name: str, level: LevelConfig, *, bytes_per_unit: float, attended: int, cached: int) -> Part:
    """A transformer whose units each attend to `attended` units, and `cached` of whose units are kept in the cache."""
    attention, mlp = _count(specs, f"{name}.blocks.", ".attention."), _count(specs, f"{name}.blocks.", ".mlp.")
    reading = 4 * attended * level.dim * level.num_layers
    cache = 4 * 2 * level.num_layers * level.dim * cached
    return _whole(
        "transformer",
        _leaf(f"attention x {level.num_layers}", attention, flops=(2 * attention + reading) / bytes_per_unit, cache_bytes=cache),
        _leaf(f"mlp x {level.num_layers}", mlp, flops=2 * mlp / bytes_per_unit),
    )


def _cost_of_fixed_patches(config: FixedPatchConfig, specs: Specs) -> Part:
    levels = [_level(config, specs, i) for i in range(len(config.levels))]
    head = 2 * NUM_IDS * config.levels[-1].dim
    return _whole("megabyte", *levels, _leaf("head (the last level's byte embedding)", 0, flops=head))


def _level(config: FixedPatchConfig, specs: Specs, index: int) -> Part:
    level, name = config.levels[index], f"levels.{index}"
    size = level.patch_size
    parent_size = config.levels[index - 1].patch_size if index else config.max_seq_len
    cross = config.cross_patch_bytes if index == len(config.levels) - 1 else 0
    attended = parent_size + cross if cross else parent_size // size
    cached = config.max_seq_len if cross else parent_size // size
    parts = [_leaf("byte embedding", _count(specs, f"{name}.byte_embedding")), _leaf("pad", _count(specs, f"{name}.pad"))]
    if positions := _count(specs, f"{name}.positions"):
        parts.append(_leaf("positions", positions))
    if conv := _count(specs, f"{name}.conv"):
        parts.append(_leaf("conv encoder", conv, flops=2 * sum(CONV_WIDTHS) * (level.dim // size) ** 2))
    if from_parent := _count(specs, f"{name}.from_parent"):
        parts.append(_leaf("from parent", from_parent, flops=2 * from_parent / size))
    parts.append(_transformer(specs, f"{name}.transformer", level, bytes_per_unit=size, attended=attended, cached=cached))
    title = "global level" if index == 0 else "local level" if size == 1 else f"level {index}"
    return _whole(f"{title}, {size} byte{'s' if size > 1 else ''} a unit", *parts)


def _cost_of_words(config: WordPatchConfig, specs: Specs, bytes_per_patch: float) -> Part:
    level, local = config.levels
    num_words = round(config.max_seq_len / bytes_per_patch)
    to_local, mlps, head = _count(specs, "global_to_local"), _count(specs, "local_model.mlps"), _count(specs, "local_model.head")
    embedder = [_leaf("words", _count(specs, "word_embedder.words"))]
    if config.pair_rows:
        embedder.append(_leaf("pairs (hashed)", _count(specs, "word_embedder.pairs")))
    parts = [
        _whole("word embedder", *embedder, _leaf("last ids", _count(specs, "word_embedder.last_ids"))),
        _whole("global model", _transformer(specs, "global_model", level, bytes_per_unit=bytes_per_patch, attended=num_words, cached=num_words)),
        _leaf("global to local", to_local, flops=2 * to_local / bytes_per_patch),
    ]
    if config.lexicon_words:
        parts.append(_leaf("lexicon", _count(specs, "lexicon."), flops=2 * _count(specs, "lexicon.", ndim=2) / bytes_per_patch))
    if config.pointer_dim:  # which scores every word by its query and by each hint, and caches its key
        scored = (1 + NUM_HINTS) * num_words * config.pointer_dim
        flops = 2 * (_count(specs, "pointer.", ndim=2) + scored) / bytes_per_patch
        parts.append(_leaf("pointer", _count(specs, "pointer."), flops=flops, cache_bytes=4 * config.pointer_dim * num_words))
    return _whole(
        "words",
        *parts,
        _whole(
            "byte embedder",
            _leaf("last ids", _count(specs, "byte_embedder.last_ids")),
            _leaf("prefixes, n-grams and phrases (hashed)", _count(specs, "byte_embedder.hashed")),
        ),
        _whole("local model", _leaf(f"mlp x {local.num_layers}", mlps, flops=2 * mlps), _leaf("head", head, flops=2 * head)),
    )
