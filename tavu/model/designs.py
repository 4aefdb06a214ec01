"""The two designs, fixed patches and words: the only place that tells them apart. What needs torch imports it when called."""

from typing import TYPE_CHECKING

from tavu.config import FixedPatchConfig, ModelConfig, WordPatchConfig
from tavu.model import megabyte, words
from tavu.model.cost import BYTES_PER_WORD, Part
from tavu.model.megabyte.cost import fixed_patch_cost
from tavu.model.megabyte.tensors import fixed_patch_tensors
from tavu.model.tensors import TensorSpec
from tavu.model.words.cost import word_patch_cost
from tavu.model.words.tensors import word_patch_tensors

if TYPE_CHECKING:
    from tavu.data.documents import DocumentFile
    from tavu.model.interface import Model


def build_model(config: ModelConfig) -> "Model":
    """A new model, its weights drawn from torch's default generator."""
    from tavu.model.megabyte.model import Megabyte
    from tavu.model.words.model import WordModel

    return Megabyte(config) if isinstance(config, FixedPatchConfig) else WordModel(config)


def initialize_from_counts(model: "Model", documents: "DocumentFile", max_bytes: int, min_word_count: int) -> None:
    """Initialize the tables of a new model from n-gram counts of about max_bytes of text (words/counts.py); fixed patches have no tables."""
    from tavu.model.words import counts
    from tavu.model.words.model import WordModel

    if isinstance(model, WordModel):
        counts.initialize_from_counts(model, documents, max_bytes, min_word_count)


def tensor_specs(config: ModelConfig) -> dict[str, TensorSpec]:
    """Every tensor of a model, by its name in the torch module."""
    return fixed_patch_tensors(config) if isinstance(config, FixedPatchConfig) else word_patch_tensors(config)


def cost(config: ModelConfig, *, bytes_per_patch: float = BYTES_PER_WORD) -> Part:
    """The tree of parts of a model. bytes_per_patch is the average length of its words; fixed patches have their own."""
    return fixed_patch_cost(config) if isinstance(config, FixedPatchConfig) else word_patch_cost(config, bytes_per_patch)


def differs_from_paper(config: ModelConfig) -> str:
    """How a design differs from MEGABYTE as published."""
    return megabyte.DIFFERS_FROM_PAPER if isinstance(config, FixedPatchConfig) else words.DIFFERS_FROM_PAPER


def has_fixed_shapes(config: ModelConfig) -> bool:
    """Whether all batches of a size take tensors of the same shapes: the number of words of a row differs from batch to batch."""
    return not isinstance(config, WordPatchConfig)
