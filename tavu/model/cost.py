"""What a model costs, part by part: parameters, FLOPs per byte of a forward pass, bytes of cache while it writes.

FLOPs are those of matrix products, two for each multiplication and addition, attention counted over a full context, as
torch.utils.flop_counter counts them. Training costs about three times as many.
"""

from dataclasses import dataclass
from typing import Any

from torch import nn

from tavu.model.megabyte import CONV_FILTERS, Level, Megabyte
from tavu.model.transformer import Transformer
from tavu.model.words.model import WordModel
from tavu.model.words.pointer import Pointer
from tavu.model.words.rows import NUM_HINTS
from tavu.vocabulary import NUM_IDS

BYTES_PER_WORD = 5.0
"""English words with the space after them; what a model met in training is in its facts."""


@dataclass(frozen=True)
class Part:
    """One part of a model, its parts in turn, and their totals."""

    name: str
    num_parameters: int
    flops_per_byte: float
    cache_bytes: int
    """Of one text of full context, in float32."""
    parts: tuple["Part", ...] = ()

    def to_dict(self) -> dict[str, Any]:
        own = {"name": self.name, "num_parameters": self.num_parameters, "flops_per_byte": self.flops_per_byte, "cache_bytes": self.cache_bytes}
        return own | ({"parts": [part.to_dict() for part in self.parts]} if self.parts else {})


def cost(model: Megabyte | WordModel, *, bytes_per_patch: float = BYTES_PER_WORD) -> Part:
    """The tree of parts of a model. bytes_per_patch is how long its words are on average; fixed patches have their own size."""
    return _cost_of_megabyte(model) if isinstance(model, Megabyte) else _cost_of_words(model, bytes_per_patch)


def _whole(name: str, *parts: Part) -> Part:
    return Part(name, *(sum(getattr(part, key) for part in parts) for key in ("num_parameters", "flops_per_byte", "cache_bytes")), parts)


def _leaf(name: str, module: nn.Module | None = None, *, parameters: int | None = None, flops: float = 0.0) -> Part:
    return Part(name, _num_parameters(module) if parameters is None else parameters, flops, 0)


def _num_parameters(module: nn.Module | None) -> int:
    return sum(p.numel() for p in module.parameters()) if module is not None else 0


def _matrices(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.ndim == 2)


def _transformer(model: Transformer, *, bytes_per_unit: float, attended: int, cached: int) -> Part:
    """A transformer whose units each attend to `attended` units, and `cached` of whose units are remembered."""
    config = model.config
    attention = sum(_num_parameters(block.attention) for block in model.blocks)
    mlp = sum(_num_parameters(block.mlp) for block in model.blocks)
    reading = 4 * attended * config.dim * config.num_layers
    cache = 4 * 2 * config.num_layers * config.dim * cached
    return _whole(
        "transformer",
        Part(f"attention x {config.num_layers}", attention, (2 * attention + reading) / bytes_per_unit, cache),
        _leaf(f"mlp x {config.num_layers}", parameters=mlp, flops=2 * mlp / bytes_per_unit),
    )


def _cost_of_megabyte(model: Megabyte) -> Part:
    levels = [_level(model, level, i) for i, level in enumerate(model.levels)]
    head = 2 * NUM_IDS * model.config.levels[-1].dim
    return _whole("megabyte", *levels, _leaf("head (the last level's byte embedding)", flops=head))


def _level(model: Megabyte, level: Level, index: int) -> Part:
    size, dim = level.unit_size, level.transformer.config.dim
    attended = level.parent_size + level.cross if level.cross else level.units_per_parent
    cached = model.config.max_seq_len if level.cross else level.units_per_parent
    parts = [_leaf("byte embedding", level.byte_embedding), _leaf("pad", parameters=dim)]
    if level.positions is not None:
        parts.append(_leaf("positions", parameters=level.positions.numel()))
    if level.conv is not None:
        parts.append(_leaf("conv encoder", level.conv, flops=2 * sum(CONV_FILTERS) * (dim // size) ** 2))
    if level.from_parent is not None:
        parts.append(_leaf("from parent", level.from_parent, flops=2 * _num_parameters(level.from_parent) / size))
    parts.append(_transformer(level.transformer, bytes_per_unit=size, attended=attended, cached=cached))
    name = "global level" if index == 0 else "local level" if size == 1 else f"level {index}"
    return _whole(f"{name}, {size} byte{'s' if size > 1 else ''} a unit", *parts)


def _cost_of_words(model: WordModel, bytes_per_patch: float) -> Part:
    words, local = model.word_embedder, model.local_model
    pairs = [_leaf("pairs (hashed)", words.pairs)] if words.pairs is not None else []
    num_words = round(model.config.max_seq_len / bytes_per_patch)
    mlps = sum(_num_parameters(mlp) for mlp in local.mlps)
    return _whole(
        "words",
        _whole("word embedder", _leaf("words", words.words), *pairs, _leaf("last ids", words.last_ids)),
        _whole("global model", _transformer(model.global_model, bytes_per_unit=bytes_per_patch, attended=num_words, cached=num_words)),
        _leaf("global to local", model.global_to_local, flops=2 * _num_parameters(model.global_to_local) / bytes_per_patch),
        *([_leaf("lexicon", model.lexicon, flops=2 * _matrices(model.lexicon) / bytes_per_patch)] if model.lexicon is not None else []),
        *([_pointer(model.pointer, bytes_per_patch, num_words)] if model.pointer is not None else []),
        _whole(
            "byte embedder",
            _leaf("last ids", model.byte_embedder.last_ids),
            _leaf("beginnings, n-grams and phrases (hashed)", model.byte_embedder.hashed),
        ),
        _whole(
            "local model",
            _leaf(f"mlp x {len(local.mlps)}", parameters=mlps, flops=2 * mlps),
            _leaf("head", local.head, flops=2 * _num_parameters(local.head)),
        ),
    )


def _pointer(pointer: Pointer, bytes_per_patch: float, num_words: int) -> Part:
    """A pointer that looks up each of num_words words, whose keys are remembered, by its query and for each hint."""
    width = pointer.key.weight.size(0)
    flops = 2 * (_matrices(pointer) + (1 + NUM_HINTS) * num_words * width) / bytes_per_patch
    return Part("pointer", _num_parameters(pointer), flops, 4 * width * num_words)
