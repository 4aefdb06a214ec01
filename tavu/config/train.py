"""The training settings: budget, learning rates, schedule, checkpoints and machine."""

import math
from dataclasses import dataclass

from tavu.config.check import check, check_positive
from tavu.errors import TavuError


@dataclass(frozen=True)
class TrainConfig:
    """How long and how to train. Exactly one of minutes and steps is the budget."""

    minutes: float | None = 10.0
    """The budget in minutes, including reading the text and validation."""
    steps: int | None = None
    """The budget in steps instead."""
    batch_bytes: int = 0
    """Bytes of text in one step. 0: chosen for the device."""
    seed: int = 0
    """The same seed, steps and machine give the same model."""
    begin_from: str | None = None
    """The model file with the initial weights, as for fine-tuning. Default: random weights."""
    counted_bytes: int = 16_000_000
    """About how many bytes of the training text are counted to initialize the tables of a word model (model/words/counts.py); fewer for short
    budgets. 0: random tables."""
    min_word_count: int = 2
    """Words that occur less often in the counted text are not stored in plain text in the model file. With 20, the file does not reveal a name or
    password that occurs a few times; records/LOG.md has the effect on quality."""
    # Learning rates at the plateau, one per kind of parameter (training/optimizer.py).
    muon_learning_rate: float = 0.02
    """For matrices, which Muon updates."""
    adamw_learning_rate: float = 3e-3
    """For all other parameters except tables, which AdamW updates."""
    table_learning_rate: float = 0.03
    """For hashed tables; Adam updates the rows that a batch uses."""
    muon_every: int = 1
    """Update matrices only every this many steps, using the momentum of all of them: Muon is costly, and its updates change slowly. 0: chosen for the
    device."""
    weight_decay: float = 0.0
    """For matrices."""
    clip_norm: float = 1.0
    """Gradients with a larger norm are scaled down to it."""
    dropout: float = 0.3
    """Maximum dropout. Training uses more of it the more epochs the budget allows (training/schedule.py), and all of it once validation rises.
    0: no dropout."""
    # The schedule, in fractions of the budget (training/schedule.py).
    warmup_fraction: float = 0.02
    """Fraction of the budget, at its start, in which the learning rates rise."""
    decay_fraction: float = 0.9
    """Fraction of the budget, at its end, in which the learning rates fall to zero."""
    # Validation and checkpoints.
    milestones: int = 14
    """How many times validation is measured and samples are generated; more often at the start."""
    valid_bytes: int = 50_000
    """About how many bytes of the validation text each milestone uses; the final one uses all of it, up to 1 MB. Short budgets use less."""
    patience: float = 0.3
    """Stop early after this fraction of the budget without a better validation; 1 never stops early."""
    save_every_seconds: float = 60.0
    """Seconds between checkpoints."""
    save_every_steps: int = 0
    """Also save a checkpoint every this many steps; 0: by time only."""
    # The machine; "auto" and 0 let training/machine.py choose.
    device: str = "auto"
    """auto uses a GPU if there is one."""
    precision: str = "auto"
    """auto uses bf16 if it is faster on this machine."""
    compile: str = "auto"
    """Whether to use torch.compile; auto tries it where it may help."""
    micro_batch_rows: int = 0
    """Rows of a batch that are processed at once: fewer need less memory. 0: chosen automatically."""

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
        check(self.counted_bytes >= 0, "train.counted_bytes", self.counted_bytes, "0 (random tables) or more.")
        check(0 <= self.weight_decay <= 10, "train.weight_decay", self.weight_decay, "a number from 0 to 10.")
        check(0 <= self.dropout < 1, "train.dropout", self.dropout, "0 (none) to below 1.")
        check(self.clip_norm > 0, "train.clip_norm", self.clip_norm, "more than 0.")
        check(0 <= self.warmup_fraction <= 0.5, "train.warmup_fraction", self.warmup_fraction, "0 to 0.5.")
        check(0 <= self.decay_fraction <= 1 - self.warmup_fraction, "train.decay_fraction", self.decay_fraction, "0 to 1 less the warm-up.")
        check_positive("train", self, "min_word_count", "milestones", "valid_bytes")
        for name in ("batch_bytes", "muon_every"):
            check(getattr(self, name) >= 0, f"train.{name}", getattr(self, name), "0 (chosen for the device) or more.")
        check(0 < self.patience <= 1, "train.patience", self.patience, "more than 0, at most 1.")
        check(self.save_every_seconds > 0, "train.save_every_seconds", self.save_every_seconds, "more than 0.")
        for name, choices in (
            ("device", ("auto", "cpu", "cuda", "mps")),
            ("precision", ("auto", "fp32", "bf16")),
            ("compile", ("auto", "on", "off")),
        ):
            value = getattr(self, name)
            check(value in choices, f"train.{name}", value, f"one of {', '.join(choices)}.")
        check(self.micro_batch_rows >= 0, "train.micro_batch_rows", self.micro_batch_rows, "0 (chosen automatically) or more.")
        check(self.save_every_steps >= 0, "train.save_every_steps", self.save_every_steps, "0 (by time only) or more.")
