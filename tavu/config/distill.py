"""The distillation settings: the teachers, and how their student learns from them."""

from dataclasses import dataclass

from tavu.config.check import check
from tavu.errors import TavuError
from tavu.vocabulary import NUM_IDS


@dataclass(frozen=True)
class DistillConfig:
    """Who teaches a student, and how much of its loss is what they say (distillation/teacher.py)."""

    teachers: tuple[str, ...] = ()
    """Model files, run folders, and models of transformers: hf: and a folder or a name on the hub."""
    train_teachers: int = 0
    """Train this many teachers first, with different seeds, within the budget of the run."""
    teachers_fraction: float = 0.6
    """With train_teachers: the fraction of the budget for training them."""
    share: float = 0.8
    """How much of the loss is the cross-entropy against the mean distribution of the teachers; the rest is that against the text."""
    temperature: float = 1.0
    """Distributions of teachers and student are flattened by it before they are compared (Hinton et al. 2015, section 2)."""
    top_k: int = 16
    """How many ids of each distribution are stored on disk, in 4 bytes each; the rest is spread by their frequencies."""

    def __post_init__(self) -> None:
        check(self.train_teachers >= 0, "distill.train_teachers", self.train_teachers, "0 or more.")
        check(len(set(self.teachers)) == len(self.teachers), "distill.teachers", list(self.teachers), "different models. Name each once.")
        check(0 < self.teachers_fraction < 1, "distill.teachers_fraction", self.teachers_fraction, "more than 0 and less than 1.")
        check(0 <= self.share <= 1, "distill.share", self.share, "0 (only the text) to 1 (only the teachers).")
        check(0 < self.temperature <= 20, "distill.temperature", self.temperature, "more than 0, at most 20. The usual is 1.")
        check(1 <= self.top_k <= NUM_IDS, "distill.top_k", self.top_k, f"1 to {NUM_IDS}.")
        if bool(self.teachers) == (self.train_teachers > 0):
            got = "both" if self.teachers else "neither"
            raise TavuError(
                f"distill has {got} of teachers and train_teachers, expected one of them. "
                "Use `tavu distill --teacher MODEL`, or `tavu train --teachers 2`."
            )
