"""Training: its budget, learning rates, schedule, saves and machine."""

import math
from dataclasses import dataclass

from tavu.config.check import check, check_positive
from tavu.errors import TavuError


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
        check_positive("train", self, "batch_bytes", "muon_every", "min_word_count", "milestones", "valid_bytes")
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
