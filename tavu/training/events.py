"""The events that training yields. Displaying them is left to the caller."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tavu.generation.writing import Written

if TYPE_CHECKING:  # so that a display need not import torch
    from tavu.evaluation.bits_per_byte import BitsPerByte
    from tavu.model.interface import Model
    from tavu.training.machine import Plan

StopReason = Literal["budget", "early", "interrupted"]
"""Why training ended: the budget was used up, validation stopped improving, or a signal arrived."""


@dataclass(frozen=True)
class TeacherTrains:
    """The training of one of a run's own teachers starts. Events up to the next one of these, or of TeacherReads, are of it."""

    number: int
    of: int


@dataclass(frozen=True)
class TeacherReads:
    """A teacher starts to read the corpus. Later runs find what it says on disk."""

    name: str
    number: int
    of: int


@dataclass(frozen=True)
class Taught:
    """The soft targets of all teachers are on disk. Bits per byte of each on the validation text, and of the mean of their distributions."""

    names: tuple[str, ...]
    bits_per_byte: tuple[float, ...]
    ensemble_bpb: float


@dataclass(frozen=True)
class Started:
    """Training starts, or resumes, with this plan."""

    plan: "Plan"
    model: "Model"
    step: int
    preparation: float
    """Seconds of setup before the first step, without reading the text."""
    world_size: int = 1
    """The number of processes that train together."""


@dataclass(frozen=True)
class Progress:
    """Training loss and speed since the last progress event."""

    step: int
    seconds: float
    fraction: float
    bytes_seen: int
    train_bpb: float
    bytes_per_second: float
    seconds_left: float
    """Until the end, final validation included. NaN at the start of a budget in steps."""


@dataclass(frozen=True)
class Milestone:
    """Validation was measured, and a sample was generated for each prompt."""

    step: int
    seconds: float
    fraction: float
    bytes_seen: int
    validation: "BitsPerByte"
    is_best: bool
    samples: tuple[tuple[str, Written], ...]
    dropout: float
    """The dropout rate used up to this milestone."""


@dataclass(frozen=True)
class Overfitting:
    """The model overfits: training returns to the best model so far (training/overfitting.py)."""

    best_seconds: float

    @property
    def text(self) -> str:
        back = f"training returns to its best model, of minute {self.best_seconds / 60:.3g}"
        return f"Validation loss rises after the first epoch: {back}, and continues with maximum dropout and frozen tables."


@dataclass(frozen=True)
class Finished:
    """Training ended: the model file, and its final validation on up to a few MB."""

    model: Path
    step: int
    seconds: float
    bytes_seen: int
    bytes_per_second: float
    validation: "BitsPerByte"
    peak_memory_mb: float
    stopped: StopReason
    best_seconds: float
    """The training time of the saved model. It is the best model, not always the last."""
    whole_seconds: float
    """Setup, training with its milestones, and final validation. Reading the text is not included."""


@dataclass(frozen=True)
class Stopping:
    """A signal arrived (its number). The training state is saved, then the model is validated, then training ends."""

    signal: int


@dataclass(frozen=True)
class Note:
    """A sentence about something that did not go as planned."""

    text: str


Event = TeacherTrains | TeacherReads | Taught | Started | Progress | Milestone | Overfitting | Stopping | Note | Finished
