"""The tensors of a model from its config alone, without torch: the name, shape and role of each.

The parts of a model that are counted (cost.py), trained (training/optimizer.py), quantized and stored (model_file.py) are those of this table; the
torch modules and the native engine are tested equal to it. Matrices are (out, in), tables (rows, width).
"""

from dataclasses import dataclass
from math import prod
from typing import Literal

from tavu.config import FixedPatchConfig, LevelConfig, ModelConfig, WordPatchConfig
from tavu.model.words.rows import NUM_HINTS, row_ranges
from tavu.stored_model import GROUP
from tavu.vocabulary import NUM_IDS

CONV_WIDTHS = (3, 5, 7)
"""Of the convolutions of MEGABYTE's patch encoder (Yu et al. 2023, arXiv 2305.07185, section 2.3.1)."""

Role = Literal["matrix", "table", "dense", "buffer"]
"""matrix: of attention and MLPs, trained with Muon. table: hashed, of which a step reads few rows, trained with row-wise Adam. dense: any other
parameter, trained with AdamW. buffer: not trained, but chosen from counts of the training text."""


@dataclass(frozen=True)
class TensorSpec:
    shape: tuple[int, ...]
    role: Role
    dtype: str = "F32"
    """In memory, as safetensors names it. Files hold parameters, which are F32, as BF16 or quantized, and buffers as they are."""

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def can_be_quantized(self) -> bool:
        """Matrices and tables can where their rows are whole groups; the few vectors are too small to matter."""
        return self.role != "buffer" and len(self.shape) == 2 and self.shape[1] % GROUP == 0


_STORED_NAMES = (("pointer.hint_gate", "pointer.urge"), ("pointer.hint_bias", "pointer.urge_bias"), ("phrase_tags", "phrase_names"))
"""Parts of names in the code, and what files of every version have called them."""


def stored_name(name: str) -> str:
    """The name that a tensor, or what an optimizer keeps of it, has in files.

    >>> stored_name("pointer.hint_gate.weight")
    'pointer.urge.weight'
    """
    for own, stored in _STORED_NAMES:
        name = name.replace(own, stored)
    return name


def tensor_specs(config: ModelConfig) -> dict[str, TensorSpec]:
    """Every tensor of a model by its name in the torch module."""
    return fixed_patch_tensors(config) if isinstance(config, FixedPatchConfig) else word_patch_tensors(config)


def roles_of(config: ModelConfig) -> dict[str, Role]:
    """The role of every tensor."""
    return {name: spec.role for name, spec in tensor_specs(config).items()}


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
        specs |= transformer_tensors(f"{name}.transformer", level)
    return specs


def word_patch_tensors(config: WordPatchConfig) -> dict[str, TensorSpec]:
    level, local = config.levels
    D, L, W, E = level.dim, local.dim, config.lexicon_words, config.pointer_dim
    num_phrases = len(config.phrase_orders) * config.phrase_rows
    specs = {
        "word_embedder.words.weight": TensorSpec((config.word_rows, D), "table"),
        "word_embedder.last_ids.weight": TensorSpec((NUM_IDS + 1, D), "dense"),
        "word_embedder.known": TensorSpec((config.num_known_words,), "buffer", "I64"),
        "global_to_local.weight": TensorSpec((L, D), "dense"),
        "byte_embedder.last_ids.weight": TensorSpec((NUM_IDS + 1, L), "dense"),
        "byte_embedder.hashed.weight": TensorSpec((row_ranges(config).num_rows, L), "table"),
        "local_model.head.weight": TensorSpec((NUM_IDS, L), "dense"),
    }
    specs |= transformer_tensors("global_model", level)
    for i in range(local.num_layers):
        specs |= mlp_tensors(f"local_model.mlps.{i}", L, local.mlp_dim)
    if config.pair_rows:
        specs["word_embedder.pairs.weight"] = TensorSpec((config.pair_rows, D), "table")
    if num_phrases:
        specs["byte_embedder.phrase_tags"] = TensorSpec((num_phrases,), "buffer", "I32")
    if W:
        specs["lexicon.words.weight"] = TensorSpec((W, D), "dense")
        specs["lexicon.bias"] = TensorSpec((W,), "dense")
        specs["lexicon.strength"] = TensorSpec((1,), "dense")
        specs["lexicon.spellings"] = TensorSpec((W, config.max_patch_size), "buffer", "U8")
        specs["lexicon.lengths"] = TensorSpec((W,), "buffer", "U8")
    if E:
        specs["pointer.query.weight"] = TensorSpec((E, D), "dense")
        specs["pointer.key.weight"] = TensorSpec((E, D), "dense")
        specs["pointer.hint_gate.weight"] = TensorSpec((NUM_HINTS * E, D), "dense")
        specs["pointer.hint_bias"] = TensorSpec((NUM_HINTS,), "dense")
        specs["pointer.sharpness"] = TensorSpec((1,), "dense")
        specs["pointer.strength"] = TensorSpec((2,), "dense")
    return specs


def transformer_tensors(name: str, level: LevelConfig) -> dict[str, TensorSpec]:
    """The tensors of a transformer of that name."""
    specs: dict[str, TensorSpec] = {}
    for i in range(level.num_layers):
        block = f"{name}.blocks.{i}"
        specs[f"{block}.attention.query_key_value.weight"] = TensorSpec((3 * level.dim, level.dim), "matrix")
        specs[f"{block}.attention.out.weight"] = TensorSpec((level.dim, level.dim), "matrix")
        specs |= mlp_tensors(f"{block}.mlp", level.dim, level.mlp_dim)
    return specs


def mlp_tensors(name: str, dim: int, mlp_dim: int) -> dict[str, TensorSpec]:
    return {f"{name}.up.weight": TensorSpec((mlp_dim, dim), "matrix"), f"{name}.down.weight": TensorSpec((dim, mlp_dim), "matrix")}
