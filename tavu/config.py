"""The settings of a run, as frozen values that check themselves: model, data, training, sampling.

How they are read from TOML, overridden and written back is recipe.py's subject; what each does is told where it is used.
Every mistake is a TavuError whose sentence begins with the full name of the setting, as `--set` takes it.
"""

import math
from dataclasses import dataclass

from tavu.errors import TavuError, shortened


def check(ok: bool, name: str, got: object, expected: str) -> None:
    """Raise the one kind of sentence that a bad setting gets, unless ok."""
    if not ok:
        raise TavuError(f"{name} is {shortened(repr(got))}, expected {expected}")


def _check_positive(where: str, config: object, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        check(value >= 1, f"{where}.{name}", value, "1 or more.")


# What a model may be at most. A damaged or hostile model file can name any size; none of these takes long to refuse.
MAX_DIM, MAX_LAYERS, MAX_SEQ_LEN, MAX_ROWS, MAX_WORDS = 2**16, 256, 2**21, 2**30, 2**16


def _check_at_most(where: str, config: object, most: int, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        check(value <= most, f"{where}.{name}", value, f"{most} or less.")


@dataclass(frozen=True)
class LevelConfig:
    """One level of the hierarchy: a transformer over units of `patch_size` bytes each (1: over bytes)."""

    dim: int
    num_layers: int
    num_heads: int
    mlp_dim: int
    patch_size: int = 1

    def check(self, where: str) -> None:
        _check_positive(where, self, "dim", "num_layers", "mlp_dim", "patch_size")
        _check_at_most(where, self, MAX_DIM, "dim", "mlp_dim")
        _check_at_most(where, self, MAX_LAYERS, "num_layers")
        check(self.num_heads >= 0, f"{where}.num_heads", self.num_heads, "0 (a stack of MLPs) or more.")
        if self.num_heads and self.dim % (2 * self.num_heads):
            step = 2 * self.num_heads
            lower, upper = self.dim // step * step, (self.dim // step + 1) * step
            expected = f"a multiple of twice num_heads {self.num_heads} (rotary positions need an even head_dim). Try {upper}"
            check(False, f"{where}.dim", self.dim, f"{expected} or {lower}." if lower else f"{expected}.")

    @property
    def head_dim(self) -> int:
        return self.dim // self.num_heads


@dataclass(frozen=True)
class FixedPatchConfig:
    """MEGABYTE with n levels of fixed patches, coarsest first (Yu et al. 2023, arXiv 2305.07185, section 2)."""

    levels: tuple[LevelConfig, ...]
    max_seq_len: int = 1024
    conv_encoder: bool = False
    """Causal convolutions over the bytes before they are cut into patches (section 2.3.1)."""
    cross_patch_bytes: int = 0
    """r: how many bytes of the previous patch the local model also attends to (section 2.3.2)."""
    patching: str = "fixed"

    def __post_init__(self) -> None:
        check(len(self.levels) >= 2, "model.levels", f"{len(self.levels)} level(s)", "two or more, coarsest first.")
        for i, level in enumerate(self.levels):
            level.check(f"model.levels.{i}")
            check(level.num_heads >= 1, f"model.levels.{i}.num_heads", level.num_heads, "1 or more with fixed patches.")
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
        _check_at_most("model", self, MAX_SEQ_LEN, "max_seq_len")
        check(
            0 <= self.cross_patch_bytes <= self.levels[-2].patch_size,
            "model.cross_patch_bytes",
            self.cross_patch_bytes,
            f"0 to the patch size, {self.levels[-2].patch_size}.",
        )


@dataclass(frozen=True)
class WordPatchConfig:
    """Patches that begin where words begin, read through hashed tables: two levels, global and local."""

    levels: tuple[LevelConfig, ...]
    max_seq_len: int = 1024
    max_patch_size: int = 24
    """A word longer than this many bytes is cut into several patches."""
    word_rows: int = 16384
    """Rows of the table of words: seven in eight are for the commonest, the others share the rest."""
    pair_rows: int = 0
    """Rows of the table of pairs of words; 0: there is none."""
    prefix_rows: int = 32768
    """Rows of the table of word beginnings that the local model reads."""
    ngram_orders: tuple[int, ...] = (3, 5)
    ngram_rows: int = 32768
    """Rows of the table of each order of n-grams that the local model reads."""
    phrase_orders: tuple[int, ...] = ()
    """The local model also reads the word so far together with the n words before it, for each n of these."""
    phrase_rows: int = 131072
    """Rows of the table of each order of phrases."""
    lexicon_words: int = 0
    """So many of the commonest words are scored as a whole by the global model, each byte hearing its share of it; 0: none are."""
    pointer_dim: int = 0
    """Width of what the global model looks up which words of the context are to come again; 0: it does not."""
    patching: str = "words"

    def __post_init__(self) -> None:
        check(len(self.levels) == 2, "model.levels", f"{len(self.levels)} level(s)", "two with word patches: global, local.")
        for i, level in enumerate(self.levels):
            level.check(f"model.levels.{i}")
            check(level.patch_size == 1, f"model.levels.{i}.patch_size", level.patch_size, "no value: words decide where patches begin.")
        check(self.levels[0].num_heads >= 1, "model.levels.0.num_heads", self.levels[0].num_heads, "1 or more.")
        check(self.levels[1].num_heads == 0, "model.levels.1.num_heads", self.levels[1].num_heads, "0: the local model is a stack of MLPs.")
        check(self.max_seq_len >= 2, "model.max_seq_len", self.max_seq_len, "2 or more.")
        _check_at_most("model", self, MAX_SEQ_LEN, "max_seq_len")
        check(0 <= self.lexicon_words <= MAX_WORDS, "model.lexicon_words", self.lexicon_words, f"0 (none) to {MAX_WORDS}.")
        _check_at_most("model", self, MAX_ROWS, "word_rows", "pair_rows", "prefix_rows", "ngram_rows", "phrase_rows")
        check(0 <= self.pointer_dim <= MAX_DIM, "model.pointer_dim", self.pointer_dim, f"0 (none) to {MAX_DIM}.")
        check(2 <= self.max_patch_size <= 255, "model.max_patch_size", self.max_patch_size, "2 to 255.")
        for name in ("word_rows", "prefix_rows", "ngram_rows", "phrase_rows", *(["pair_rows"] if self.pair_rows else [])):
            rows = getattr(self, name)
            check(rows >= 2 and rows & (rows - 1) == 0, f"model.{name}", rows, "a power of two, as 65536.")
        for name, low, high in (("ngram_orders", 2, 16), ("phrase_orders", 1, 4)):
            orders = list(getattr(self, name))
            is_valid = all(low <= n <= high for n in orders) and len(set(orders)) == len(orders)
            check(is_valid, f"model.{name}", orders, f"different orders from {low} to {high}.")

    @property
    def num_known_words(self) -> int:
        """Rows of the table of words that belong to one word each."""
        return self.word_rows - max(1, self.word_rows // 8)


ModelConfig = FixedPatchConfig | WordPatchConfig


@dataclass(frozen=True)
class DataConfig:
    """Where the text comes from; see data/sources.py for what a source may be."""

    sources: tuple[str, ...] = ("tales",)
    valid: tuple[str, ...] = ()
    text_field: str | None = None
    as_bytes: bool = False
    record_bytes: int | None = None
    skip_bad: bool = False
    as_records: bool = False
    """Documents are records of a request and what was written to it: only the latter is learned from."""
    split: str | None = None
    """lines, blank, or a regular expression: where a text is divided into documents, beside its `<|endoftext|>`s."""
    max_unpacked_mb: int = 250
    """A small file that unpacks to more than this is refused (data/streams.py)."""

    def __post_init__(self) -> None:
        check(len(self.sources) > 0, "data.sources", list(self.sources), 'at least one source, as ["stories.txt"].')


@dataclass(frozen=True)
class TrainConfig:
    """How long and how to train. Exactly one of minutes and steps is the budget."""

    minutes: float | None = 10.0
    steps: int | None = None
    batch_bytes: int = 8192
    seed: int = 0
    begin_from: str | None = None
    """The model file whose weights training begins with, as fine-tuning does; none: fresh ones."""
    counted_bytes: int = 16_000_000
    """About how much of the training text is counted to begin the tables of a word model with (training/counting.py), less for short budgets; 0: they
    begin at random."""
    min_word_count: int = 2
    """Words that come less often in what is counted are not kept in the model file as they are spelled. With 20, a name or password that stands in a
    text a few times is not handed on with the model; what that costs is in records/LOG.md."""
    # learning rates at the plateau, each for its own kind of parameter (training/optimizer.py)
    muon_learning_rate: float = 0.02
    adamw_learning_rate: float = 3e-3
    table_learning_rate: float = 0.03
    muon_every: int = 1
    """Matrices are updated at every so many steps, from the momentum that every step adds to: most of an update is one and the same for any batch."""
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    dropout: float = 0.3
    """The largest share of what the parts of the model say that is left out in training (set_dropout): as much of it as is fit for how often the text
    will be read (training/schedule.py), all of it once validation has risen nevertheless. 0: never any."""
    # the schedule, in fractions of the budget (training/schedule.py)
    warmup_fraction: float = 0.02
    decay_fraction: float = 0.9
    # watching and saving
    milestones: int = 14
    """How often, over the whole budget, validation is measured and samples are written."""
    valid_bytes: int = 50_000
    """About how much of the validation text each milestone measures; the end measures all of it, up to 1 MB. Short budgets measure less."""
    patience: float = 0.3
    """Fraction of the budget without a better validation after which training stops early; 1 never stops."""
    save_every_seconds: float = 60.0
    save_every_steps: int = 0
    """Also save after every so many steps; 0: by time only."""
    # the machine; "auto" and 0 leave it to training/machine.py
    device: str = "auto"
    precision: str = "auto"
    compile: str = "auto"
    micro_batch_rows: int = 0

    def __post_init__(self) -> None:
        if self.minutes is not None and self.steps is not None:
            raise TavuError(f"train.minutes is {self.minutes:g} and train.steps is {self.steps}, expected one budget. Set the other to none.")
        check(self.minutes is not None or self.steps is not None, "train.minutes", self.minutes, "a budget, here or in train.steps. Try 10.")
        if self.minutes is not None:
            check(0 < self.minutes < math.inf, "train.minutes", self.minutes, "more than 0. Try --minutes 10.")
        if self.steps is not None:
            check(self.steps >= 1, "train.steps", self.steps, "1 or more.")
        for name in ("muon_learning_rate", "adamw_learning_rate", "table_learning_rate"):
            value = getattr(self, name)
            check(0 <= value <= 10, f"train.{name}", value, "a number from 0 to 10.")
        check(0 <= self.seed < 1 << 63, "train.seed", self.seed, "0 or more, and less than 2 ** 63.")
        check(self.counted_bytes >= 0, "train.counted_bytes", self.counted_bytes, "0 (tables begin at random) or more.")
        check(0 <= self.weight_decay <= 10, "train.weight_decay", self.weight_decay, "a number from 0 to 10.")
        check(0 <= self.dropout < 1, "train.dropout", self.dropout, "0 (none) to below 1.")
        check(self.clip_norm > 0, "train.clip_norm", self.clip_norm, "more than 0.")
        check(0 <= self.warmup_fraction <= 0.5, "train.warmup_fraction", self.warmup_fraction, "0 to 0.5.")
        check(0 <= self.decay_fraction <= 1 - self.warmup_fraction, "train.decay_fraction", self.decay_fraction, "0 to 1 less the warm-up.")
        _check_positive("train", self, "batch_bytes", "muon_every", "min_word_count", "milestones", "valid_bytes")
        check(0 < self.patience <= 1, "train.patience", self.patience, "more than 0, at most 1.")
        check(self.save_every_seconds > 0, "train.save_every_seconds", self.save_every_seconds, "more than 0.")
        for name, choices in (
            ("device", ("auto", "cpu", "cuda", "mps")),
            ("precision", ("auto", "fp32", "bf16")),
            ("compile", ("auto", "on", "off")),
        ):
            value = getattr(self, name)
            check(value in choices, f"train.{name}", value, f"one of {', '.join(choices)}.")
        check(self.micro_batch_rows >= 0, "train.micro_batch_rows", self.micro_batch_rows, "0 (as many as the device takes at once) or more.")
        check(self.save_every_steps >= 0, "train.save_every_steps", self.save_every_steps, "0 (by time only) or more.")


INSIST, MAX_INSIST = 1.5, 10.0
"""What stories to order are written with; and the most."""


@dataclass(frozen=True)
class SamplingConfig:
    """How bytes are drawn and when a generation stops. Raises TavuError for a value out of range."""

    temperature: float = 0.8
    """0 always takes the likeliest byte."""
    top_k: int | None = None
    """Keep the k likeliest ids; of equals, the lower ids."""
    top_p: float | None = None
    """Keep the fewest, likeliest ids that hold this share of the probability."""
    min_p: float | None = None
    """Keep ids at least this fraction as likely as the likeliest."""
    repetition_penalty: float = 1.0
    """Divides the probability of a byte that completes a repeat, once per time seen: see RepetitionTracker. 1 is off."""
    max_bytes: int = 2048
    seed: int = 0
    stop: tuple[str, ...] = ()
    """A generation ends before the first of these."""
    valid_utf8: bool = True
    """Draw only bytes that keep the text UTF-8."""
    used_bytes: frozenset[int] | None = None
    """With valid_utf8: draw only these bytes, those of the training text, while any of them may follow. None: all."""
    insist: float = 1.0
    """How much a model of records presses what was asked for and is not yet written: 1 as it has learned, 0 not at all. See Pointer.expect."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise TavuError(f"temperature is {self.temperature}, expected 0 (always the likeliest byte) or more. Try 0.8.")
        if self.top_k is not None and not self.top_k >= 1:
            raise TavuError(f"top_k is {self.top_k}, expected 1 or more. Leave it out to keep every byte.")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise TavuError(f"top_p is {self.top_p}, expected above 0 and up to 1. Try 0.95, or leave it out.")
        if self.min_p is not None and not 0 <= self.min_p < 1:
            raise TavuError(f"min_p is {self.min_p}, expected from 0 to below 1. Try 0.05, or leave it out.")
        if not 0 <= self.insist <= MAX_INSIST:
            raise TavuError(f"insist is {self.insist}, expected 0 (not at all) to {MAX_INSIST:g}. Try {INSIST:g}.")
        if not (math.isfinite(self.repetition_penalty) and self.repetition_penalty >= 1):
            raise TavuError(f"repetition_penalty is {self.repetition_penalty}, expected 1 (off) or more. Try 1.2.")
        if not self.max_bytes >= 1:
            raise TavuError(f"max_bytes is {self.max_bytes}, expected 1 or more. Try 2048.")
        if not self.seed >= 0:
            raise TavuError(f"seed is {self.seed}, expected 0 or more.")
        if isinstance(self.stop, str):
            raise TavuError(f"stop is the string {self.stop!r}, expected a tuple of strings. Try ({self.stop!r},).")
        for text in self.stop:
            if not text:
                raise TavuError("stop has an empty string, expected at least one character in each. Leave it out.")
            if any(0xD800 <= ord(character) <= 0xDFFF for character in text):
                raise TavuError(f"stop has {text!r}, which UTF-8 cannot spell, expected text without lone surrogates.")


@dataclass(frozen=True)
class ProgressConfig:
    """What the model is asked to write at each milestone, so that one can watch it learn."""

    prompts: tuple[str, ...] = ()
    """None: nothing at all, and the words that most validation documents open with."""
    max_bytes: int = 400
    temperature: float = 0.8

    def __post_init__(self) -> None:
        check(self.max_bytes >= 1, "sample.max_bytes", self.max_bytes, "1 or more.")
        check(0 <= self.temperature < math.inf, "sample.temperature", self.temperature, "0 (greedy) or more.")


@dataclass(frozen=True)
class Recipe:
    """Everything that a training run is made from; saved beside it, it makes the run again."""

    model: ModelConfig
    data: DataConfig
    train: TrainConfig
    sample: ProgressConfig
