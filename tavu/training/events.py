"""What training tells while it goes on, as values; who shows them is not its concern."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tavu.generation.writing import Written

if TYPE_CHECKING:  # what shows events need not wait for torch
    from tavu.evaluation.bits_per_byte import BitsPerByte
    from tavu.model.interface import Model
    from tavu.training.machine import Plan

StopReason = Literal["budget", "early", "interrupted"]
"""Why training ended: its budget was used, validation had stopped improving, or a signal came."""


@dataclass(frozen=True)
class Started:
    """Training begins, or goes on, on this plan."""

    plan: "Plan"
    model: "Model"
    step: int
    preparation: float
    """Seconds that it took until here, the reading of the text not among them."""


@dataclass(frozen=True)
class Progress:
    """How it goes: the mean cost of the bytes since the last of these, and the speed."""

    step: int
    seconds: float
    fraction: float
    bytes_seen: int
    train_bpb: float
    bytes_per_second: float
    seconds_left: float
    """Until the end, the last measurement included; not a number in the first moment of a budget in steps."""


@dataclass(frozen=True)
class Milestone:
    """Validation was measured, and each prompt was written on from."""

    step: int
    seconds: float
    fraction: float
    bytes_seen: int
    validation: "BitsPerByte"
    is_best: bool
    samples: tuple[tuple[str, Written], ...]
    dropout: float
    """The share that was left out in training until now."""


@dataclass(frozen=True)
class Overfitting:
    """Validation has risen while the text was read again: training goes back to the best model (training/overfitting.py)."""

    best_seconds: float

    @property
    def text(self) -> str:
        back = f"training goes back to its best model, of minute {self.best_seconds / 60:.3g}"
        return f"Validation rises as the text is read again: {back}, and goes on with maximum dropout and its tables frozen."


@dataclass(frozen=True)
class Finished:
    """The end: the model file, and what it costs on all of validation (up to a few MB)."""

    model: Path
    step: int
    seconds: float
    bytes_seen: int
    bytes_per_second: float
    validation: "BitsPerByte"
    peak_memory_mb: float
    stopped: StopReason
    best_seconds: float
    """When the model in the file was the current one; it is the best, not always the last."""
    whole_seconds: float
    """From the text as read to here: preparation, training with its milestones, the last measurement."""


@dataclass(frozen=True)
class Stopping:
    """A signal came (its number): the training is saved; the model is measured, then training ends."""

    signal: int


@dataclass(frozen=True)
class Note:
    """Something that went otherwise than planned, in a sentence."""

    text: str


Event = Started | Progress | Milestone | Overfitting | Stopping | Note | Finished
