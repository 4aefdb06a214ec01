"""The model settings: its levels, and how bytes are grouped into patches."""

from dataclasses import dataclass

from tavu.config.check import check, check_at_most, check_positive

# Upper limits. A damaged or hostile model file can claim any size; these are refused before anything is allocated.
MAX_DIM, MAX_LAYERS, MAX_SEQ_LEN, MAX_ROWS, MAX_WORDS = 2**16, 256, 2**21, 2**30, 2**16


@dataclass(frozen=True)
class TransformerConfig:
    """A transformer: the global model of `words`."""

    dim: int
    """Width of the vectors."""
    num_layers: int
    """Number of blocks, each with attention and an MLP."""
    num_heads: int
    """Attention heads per block."""
    mlp_dim: int
    """Width of the hidden layer of each MLP."""

    def check(self, where: str) -> None:
        check_positive(where, self, "dim", "num_layers", "num_heads", "mlp_dim")
        check_at_most(where, self, MAX_DIM, "dim", "mlp_dim")
        check_at_most(where, self, MAX_LAYERS, "num_layers")
        if self.dim % (2 * self.num_heads):
            step = 2 * self.num_heads
            lower, upper = self.dim // step * step, (self.dim // step + 1) * step
            expected = f"a multiple of twice num_heads {self.num_heads} (rotary positions need an even head_dim). Try {upper}"
            check(False, f"{where}.dim", self.dim, f"{expected} or {lower}." if lower else f"{expected}.")

    @property
    def head_dim(self) -> int:
        return self.dim // self.num_heads


@dataclass(frozen=True)
class MLPStackConfig:
    """A stack of MLPs without attention: the local model of `words`."""

    dim: int
    """Width of the vectors."""
    num_layers: int
    """How many MLPs."""
    mlp_dim: int
    """Width of the hidden layer of each MLP."""

    def check(self, where: str) -> None:
        check_positive(where, self, "dim", "num_layers", "mlp_dim")
        check_at_most(where, self, MAX_DIM, "dim", "mlp_dim")
        check_at_most(where, self, MAX_LAYERS, "num_layers")


@dataclass(frozen=True)
class LevelConfig:
    """One level of fixed patches: a transformer over units of `patch_size` bytes each (1: over bytes)."""

    dim: int
    """Width of the level's vectors."""
    num_layers: int
    """Blocks, each attention and an MLP."""
    num_heads: int
    """Attention heads per block."""
    mlp_dim: int
    """Width of the hidden layer of each MLP."""
    patch_size: int = 1
    """Bytes in one unit of the level: 1 on the last level."""

    def check(self, where: str) -> None:
        self.transformer.check(where)
        check_positive(where, self, "patch_size")

    @property
    def transformer(self) -> TransformerConfig:
        return TransformerConfig(self.dim, self.num_layers, self.num_heads, self.mlp_dim)


@dataclass(frozen=True)
class FixedPatchConfig:
    """MEGABYTE with n levels of fixed patches, coarsest first (Yu et al. 2023, arXiv 2305.07185, section 2)."""

    levels: tuple[LevelConfig, ...]
    """The levels, coarsest first; `model.levels.0.dim` is the width of the global model."""
    max_seq_len: int = 1024
    """Bytes of context."""
    conv_encoder: bool = False
    """Causal convolutions over the bytes before patching (section 2.3.1)."""
    cross_patch_bytes: int = 0
    """r: how many bytes of the previous patch the local model also attends to (section 2.3.2)."""
    patching: str = "fixed"
    """How bytes are grouped into patches: `fixed`, every patch_size bytes, or `words`, at the start of each word."""

    def __post_init__(self) -> None:
        check(len(self.levels) >= 2, "model.levels", f"{len(self.levels)} level(s)", "two or more, coarsest first.")
        for i, level in enumerate(self.levels):
            level.check(f"model.levels.{i}")
        last = len(self.levels) - 1
        check(self.levels[last].patch_size == 1, f"model.levels.{last}.patch_size", self.levels[last].patch_size, "1: the last level models bytes.")
        for i in range(len(self.levels) - 1):
            coarse, fine, where = self.levels[i], self.levels[i + 1], f"model.levels.{i}"
            check(
                coarse.patch_size > fine.patch_size and coarse.patch_size % fine.patch_size == 0,
                f"{where}.patch_size",
                coarse.patch_size,
                f"a multiple of the next level's {fine.patch_size}, and larger.",
            )
            check(
                coarse.dim % coarse.patch_size == 0,
                f"{where}.dim",
                coarse.dim,
                f"a multiple of patch_size {coarse.patch_size}. Try {-(-coarse.dim // coarse.patch_size) * coarse.patch_size}.",
            )
        check(
            self.max_seq_len >= self.levels[0].patch_size and self.max_seq_len % self.levels[0].patch_size == 0,
            "model.max_seq_len",
            self.max_seq_len,
            f"a multiple of the patch_size {self.levels[0].patch_size}.",
        )
        check_at_most("model", self, MAX_SEQ_LEN, "max_seq_len")
        check(
            0 <= self.cross_patch_bytes <= self.levels[-2].patch_size,
            "model.cross_patch_bytes",
            self.cross_patch_bytes,
            f"0 to the patch size, {self.levels[-2].patch_size}.",
        )


@dataclass(frozen=True)
class WordPatchConfig:
    """One patch per word, embedded by hashed tables. Two levels: global and local."""

    levels: tuple[TransformerConfig, MLPStackConfig]
    """The global model, then the local one."""
    max_seq_len: int = 1024
    """Bytes of context."""
    max_patch_size: int = 24
    """A word longer than this many bytes is cut into several patches."""
    word_rows: int = 16384
    """Rows of the word table: seven in eight belong to one common word each, the other words share the rest."""
    pair_rows: int = 0
    """Rows of the table of word pairs; 0: no such table."""
    prefix_rows: int = 32768
    """Rows of the table of word prefixes that the local model reads."""
    ngram_orders: tuple[int, ...] = (3, 5)
    """The local model also reads the last n bytes, for each of these n."""
    ngram_rows: int = 32768
    """Rows of the n-gram table of each order."""
    phrase_orders: tuple[int, ...] = ()
    """The local model also reads the current word so far with the n words before it, for each of these n."""
    phrase_rows: int = 131072
    """Rows of the phrase table of each order."""
    lexicon_words: int = 0
    """The global model also scores this many common words as wholes, and each byte gets its share of their probability; 0: none."""
    pointer_dim: int = 0
    """Width of the keys and queries of the pointer, which predicts that a word of the context is repeated; 0: no pointer."""
    patching: str = "words"
    """How bytes are grouped into patches: see FixedPatchConfig."""

    def __post_init__(self) -> None:
        check(len(self.levels) == 2, "model.levels", f"{len(self.levels)} level(s)", "two with word patches: global, local.")
        for i, level in enumerate(self.levels):
            level.check(f"model.levels.{i}")
        check(self.max_seq_len >= 2, "model.max_seq_len", self.max_seq_len, "2 or more.")
        check_at_most("model", self, MAX_SEQ_LEN, "max_seq_len")
        check(0 <= self.lexicon_words <= MAX_WORDS, "model.lexicon_words", self.lexicon_words, f"0 (none) to {MAX_WORDS}.")
        check_at_most("model", self, MAX_ROWS, "word_rows", "pair_rows", "prefix_rows", "ngram_rows", "phrase_rows")
        check(0 <= self.pointer_dim <= MAX_DIM, "model.pointer_dim", self.pointer_dim, f"0 (none) to {MAX_DIM}.")
        check(2 <= self.max_patch_size <= 255, "model.max_patch_size", self.max_patch_size, "2 to 255.")
        for name in ("word_rows", "prefix_rows", "ngram_rows", "phrase_rows", *(["pair_rows"] if self.pair_rows else [])):
            rows = getattr(self, name)
            check(rows >= 2 and rows & (rows - 1) == 0, f"model.{name}", rows, "a power of two, e.g. 65536.")
        for name, low, high in (("ngram_orders", 2, 16), ("phrase_orders", 1, 4)):
            orders = list(getattr(self, name))
            is_valid = all(low <= n <= high for n in orders) and len(set(orders)) == len(orders)
            check(is_valid, f"model.{name}", orders, f"different orders from {low} to {high}.")

    @property
    def num_known_words(self) -> int:
        """Rows of the word table that belong to one word each."""
        return self.word_rows - max(1, self.word_rows // 8)


ModelConfig = FixedPatchConfig | WordPatchConfig
