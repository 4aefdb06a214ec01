"""What MEGABYTE costs (see tavu/model/cost.py)."""

from tavu.config import FixedPatchConfig
from tavu.model.cost import Part, num_parameters, transformer_cost, whole
from tavu.model.megabyte.tensors import CONV_WIDTHS, fixed_patch_tensors
from tavu.model.tensors import Specs
from tavu.vocabulary import NUM_IDS


def fixed_patch_cost(config: FixedPatchConfig) -> Part:
    specs = fixed_patch_tensors(config)
    levels = [_level(config, specs, i) for i in range(len(config.levels))]
    return whole("megabyte", *levels, Part("head (the last level's byte embedding)", 0, 2 * NUM_IDS * config.levels[-1].dim))


def _level(config: FixedPatchConfig, specs: Specs, index: int) -> Part:
    level, name = config.levels[index], f"levels.{index}"
    size = level.patch_size
    parent_size = config.levels[index - 1].patch_size if index else config.max_seq_len
    cross = config.cross_patch_bytes if index == len(config.levels) - 1 else 0
    attended = parent_size + cross if cross else parent_size // size
    cached = config.max_seq_len if cross else parent_size // size
    parts = [Part("byte embedding", num_parameters(specs, f"{name}.byte_embedding")), Part("pad", num_parameters(specs, f"{name}.pad"))]
    if positions := num_parameters(specs, f"{name}.positions"):
        parts.append(Part("positions", positions))
    if conv := num_parameters(specs, f"{name}.conv"):
        parts.append(Part("conv encoder", conv, 2 * sum(CONV_WIDTHS) * (level.dim // size) ** 2))
    if from_parent := num_parameters(specs, f"{name}.from_parent"):
        parts.append(Part("from parent", from_parent, 2 * from_parent / size))
    transformer = level.transformer
    parts.append(transformer_cost(specs, f"{name}.transformer", transformer, bytes_per_unit=size, attended=attended, cached=cached))
    title = "global level" if index == 0 else "local level" if size == 1 else f"level {index}"
    return whole(f"{title}, {size} byte{'s' if size > 1 else ''} a unit", *parts)
