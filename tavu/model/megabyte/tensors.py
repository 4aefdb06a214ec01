"""The tensors of MEGABYTE (see tavu/model/tensors.py)."""

from tavu.config import FixedPatchConfig
from tavu.model.tensors import TensorSpec, transformer_tensors
from tavu.vocabulary import NUM_IDS

CONV_WIDTHS = (3, 5, 7)
"""Of the convolutions of the patch encoder (Yu et al. 2023, arXiv 2305.07185, section 2.3.1)."""


def fixed_patch_tensors(config: FixedPatchConfig) -> dict[str, TensorSpec]:
    specs: dict[str, TensorSpec] = {}
    for i, level in enumerate(config.levels):
        name, byte_dim = f"levels.{i}", level.dim // level.patch_size
        specs[f"{name}.byte_embedding.weight"] = TensorSpec((NUM_IDS, byte_dim), "dense")
        specs[f"{name}.pad"] = TensorSpec((level.dim,), "dense")
        if i == 0:
            specs[f"{name}.positions"] = TensorSpec((config.max_seq_len, byte_dim), "dense")
        if i == 0 and config.conv_encoder:
            specs |= {f"{name}.conv.weights.{j}": TensorSpec((byte_dim, byte_dim, width), "dense") for j, width in enumerate(CONV_WIDTHS)}
        if i:
            parent = config.levels[i - 1]
            specs[f"{name}.from_parent.weight"] = TensorSpec((level.dim, parent.dim // (parent.patch_size // level.patch_size)), "dense")
        specs |= transformer_tensors(f"{name}.transformer", level.transformer)
    return specs
