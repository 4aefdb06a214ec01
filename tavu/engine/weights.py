"""The tensors of a model file as the native engine reads them: each held against the config before anything points to it.

A file may be anyone's. What is checked here is what the C code relies on: that sizes are those of the config, and that what indexes is in range.
"""

from dataclasses import dataclass

import numpy as np

from tavu.config import FixedPatchConfig, LevelConfig, ModelConfig, WordPatchConfig
from tavu.errors import TavuError
from tavu.model.rows import NUM_HINTS, RowRanges, row_ranges
from tavu.stored_model import GROUP, SCALES, UNFIT, StoredModel, StoredTensor
from tavu.vocabulary import NUM_IDS

BF16, INT8, INT4 = range(3)
POSITIONS = "levels.0.positions"
"""The one matrix that is a parameter of its own."""


@dataclass(frozen=True)
class Weight:
    """A matrix (R, C): numbers (R, C) uint16 of bfloat16 or int8, or (R, C / 2) uint8 of two 4-bit ones each; scales (R,) or (R, C / GROUP)."""

    shape: tuple[int, int]
    kind: int
    numbers: np.ndarray
    scales: np.ndarray | None


class Weights:
    """Everything that the engine reads of a file. Raises TavuError when it does not fit the config."""

    def __init__(self, stored: StoredModel):
        self.file, self.config = stored.file, stored.config
        self.left = dict(stored.tensors)
        self.matrices: dict[str, Weight] = {name: self._matrix(name, shape) for name, shape in matrix_shapes(self.config).items()}
        self.vectors: dict[str, np.ndarray] = {}
        for name, (dtype, shape) in vector_shapes(self.config).items():
            tensor = self._take(name, dtype, shape)
            self.vectors[name] = as_float(tensor.numbers) if dtype == "BF16" else tensor.numbers
        if self.left:
            raise TavuError(f"{stored.file}: the weights do not fit its config ({min(self.left)} is unknown). {UNFIT}")
        if isinstance(self.config, WordPatchConfig) and self.config.lexicon_words:
            self._check_lexicon(self.vectors["lexicon.spellings"], self.vectors["lexicon.lengths"])

    def _take(self, name: str, dtype: str, shape: tuple[int, ...]) -> StoredTensor:
        if name not in self.left:
            raise TavuError(f"{self.file}: the weights do not fit its config ({name} is missing). {UNFIT}")
        tensor = self.left.pop(name)
        if tensor.dtype != dtype or tensor.numbers.shape != shape:
            raise self._damaged(f"{name} is {tensor.dtype} {list(tensor.numbers.shape)}, expected {dtype} {list(shape)}")
        return tensor

    def _matrix(self, name: str, shape: tuple[int, int]) -> Weight:
        rows, cols = shape
        if name + SCALES not in self.left:
            return Weight(shape, BF16, self._take(name, "BF16", shape).numbers, None)
        if cols % GROUP:
            raise self._damaged(f"{name} is quantized, which takes a multiple of {GROUP} columns, not {cols}")
        if name in self.left and self.left[name].dtype == "I8":
            return Weight(shape, INT8, self._take(name, "I8", shape).numbers, self._take(name + SCALES, "BF16", (rows, 1)).numbers)
        numbers = self._take(name, "U8", (rows, cols // 2)).numbers
        return Weight(shape, INT4, numbers, self._take(name + SCALES, "BF16", (rows, cols // GROUP)).numbers)

    def _check_lexicon(self, spellings: np.ndarray, lengths: np.ndarray) -> None:
        if int(lengths.max()) <= spellings.shape[1]:
            words = [row.tobytes()[:n] for row, n in zip(spellings, lengths.tolist(), strict=True) if n]
            if (lengths[: len(words)] > 0).all() and all(one < other for one, other in zip(words, words[1:], strict=False)):
                return
        raise self._damaged("the words of its lexicon are too long or out of order")

    def _damaged(self, what: str) -> TavuError:
        return TavuError(f"{self.file}: {what}. The file is damaged.")


def matrix_shapes(config: ModelConfig) -> dict[str, tuple[int, int]]:
    """(out, in) of every matrix, (rows, width) of every table."""
    shapes = fixed_patch_matrices(config) if isinstance(config, FixedPatchConfig) else word_patch_matrices(config, row_ranges(config))
    return {f"{name}.weight" if name != POSITIONS else name: shape for name, shape in shapes.items()}


def fixed_patch_matrices(config: FixedPatchConfig) -> dict[str, tuple[int, int]]:
    first, *others = config.levels
    shapes = {POSITIONS: (config.max_seq_len, first.dim // first.patch_size)}
    for i, level in enumerate(config.levels):
        shapes |= {f"levels.{i}.byte_embedding": (NUM_IDS, level.dim // level.patch_size)} | block_matrices(f"levels.{i}.transformer", level)
    for i, (parent, level) in enumerate(zip(config.levels, others, strict=False), 1):
        shapes[f"levels.{i}.from_parent"] = (level.dim, parent.dim // (parent.patch_size // level.patch_size))
    return shapes


def word_patch_matrices(config: WordPatchConfig, ranges: RowRanges) -> dict[str, tuple[int, int]]:
    level, local = config.levels
    D, L = level.dim, local.dim
    shapes = {
        "word_embedder.words": (config.word_rows, D),
        "word_embedder.last_ids": (NUM_IDS + 1, D),
        "global_to_local": (L, D),
        "byte_embedder.last_ids": (NUM_IDS + 1, L),
        "byte_embedder.hashed": (ranges.num_rows, L),
        "local_model.head": (NUM_IDS, L),
    }
    if config.pair_rows:
        shapes["word_embedder.pairs"] = (config.pair_rows, D)
    if config.lexicon_words:
        shapes["lexicon.words"] = (config.lexicon_words, D)
    if config.pointer_dim:
        E = config.pointer_dim
        shapes |= {"pointer.query": (E, D), "pointer.key": (E, D), "pointer.urge": (NUM_HINTS * E, D)}
    for i in range(local.num_layers):
        shapes |= {f"local_model.mlps.{i}.up": (local.mlp_dim, L), f"local_model.mlps.{i}.down": (L, local.mlp_dim)}
    return shapes | block_matrices("global_model", level)


def block_matrices(transformer: str, level: LevelConfig) -> dict[str, tuple[int, int]]:
    D, M = level.dim, level.mlp_dim
    own = {"attention.query_key_value": (3 * D, D), "attention.out": (D, D), "mlp.up": (M, D), "mlp.down": (D, M)}
    return {f"{transformer}.blocks.{i}.{name}": shape for i in range(level.num_layers) for name, shape in own.items()}


def vector_shapes(config: ModelConfig) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The dtype and shape of all that is no matrix."""
    if isinstance(config, FixedPatchConfig):
        return {f"levels.{i}.pad": ("BF16", (level.dim,)) for i, level in enumerate(config.levels)}
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {"word_embedder.known": ("I64", (config.num_known_words,))}
    if config.phrase_orders:
        shapes["byte_embedder.phrase_names"] = ("I32", (len(config.phrase_orders) * config.phrase_rows,))
    if config.lexicon_words:
        words = config.lexicon_words
        shapes |= {"lexicon.bias": ("BF16", (words,)), "lexicon.strength": ("BF16", (1,))}
        shapes |= {"lexicon.spellings": ("U8", (words, config.max_patch_size)), "lexicon.lengths": ("U8", (words,))}
    if config.pointer_dim:
        shapes |= {"pointer.sharpness": ("BF16", (1,)), "pointer.strength": ("BF16", (2,)), "pointer.urge_bias": ("BF16", (NUM_HINTS,))}
    return shapes


def as_float(numbers: np.ndarray) -> np.ndarray:
    """bfloat16 numbers, stored as uint16, as float32."""
    return (numbers.astype(np.uint32) << 16).view(np.float32)
