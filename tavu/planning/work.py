"""Work on a sweep: train one trial after another until none is left. Displaying the events is left to the caller."""

import math
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tavu.config import Recipe
from tavu.data.corpus import Corpus
from tavu.errors import TavuError
from tavu.planning.study import Claim, Study
from tavu.planning.trial import Trial, read_figures, read_record, writing_speed
from tavu.training.events import Event, Finished, Milestone, Progress, Started
from tavu.training.schedule import milestones_reached

Train = Callable[[Recipe, Path], Generator[Corpus | Event]]
"""Trains a recipe in a run folder, or resumes the run that is there (tavu/runs.py)."""


@dataclass(frozen=True)
class TrialStarts:
    number: int
    chosen: dict[str, str]
    is_resumed: bool


@dataclass(frozen=True)
class TrialGoes:
    """An event of a trial's training."""

    number: int
    event: Progress | Milestone


@dataclass(frozen=True)
class TrialEnds:
    trial: Trial


@dataclass(frozen=True)
class Interrupted:
    """A signal stopped a trial, which is saved. No more events follow."""

    number: int


SweepEvent = TrialStarts | TrialGoes | TrialEnds | Interrupted


def work(study: Study, train: Train) -> Generator[SweepEvent]:
    """Train trials until none is left to begin, or a signal arrives.

    A trial that diverges, or whose settings do not fit together, fails, and the next begins.

    Raises TavuError when a training cannot start, as for a text that is not there; that trial is tried again by the next to work on the sweep.
    """
    while True:
        with study.claimed() as claim:
            if claim is None:
                return
            yield TrialStarts(claim.number, claim.chosen, claim.is_resumed)
            if (yield from _train(study, claim, train)) == "interrupted":
                yield Interrupted(claim.number)
                return
            yield TrialEnds(study.trial(claim.number))


def _train(study: Study, claim: Claim, train: Train) -> Generator[SweepEvent, None, str]:
    """Train a trial, unless a process was killed just after that, and tell the study how it ended. Returns why training stopped."""
    begun, has_started = time.monotonic(), False
    try:
        recipe = study.sweep.trial_recipe(claim.chosen, claim.repeats)
    except TavuError as error:
        claim.fail(str(error), 0.0)
        return "failed"
    if not _has_ended(claim.folder):
        try:
            with closing(train(recipe, claim.folder)) as events:
                for event in events:
                    has_started = has_started or isinstance(event, Started)
                    if isinstance(event, Progress | Milestone):
                        yield TrialGoes(claim.number, event)
                    if isinstance(event, Milestone) and _is_hopeless(study, claim, recipe, event):
                        claim.prune(time.monotonic() - begun)
                        return "pruned"
                    if isinstance(event, Finished) and event.stopped == "interrupted":
                        return "interrupted"
        except TavuError as error:
            if not has_started:
                raise
            claim.fail(str(error), time.monotonic() - begun)
            return "failed"
    return _finish(study, claim, time.monotonic() - begun)


def _is_hopeless(study: Study, claim: Claim, recipe: Recipe, milestone: Milestone) -> bool:
    bits = milestone.validation.bits_per_byte
    if not study.sweep.stops_early or milestone.fraction >= 1 or not math.isfinite(bits):
        return False
    return claim.is_hopeless(milestones_reached(milestone.fraction, recipe.train), bits)


def _finish(study: Study, claim: Claim, seconds: float) -> str:
    record = read_record(claim.folder)
    figures = read_figures(record) if record else None
    value = getattr(figures, study.sweep.metric) if figures else None
    if value is None or not math.isfinite(value):
        claim.fail(f"{study.sweep.metric} is {value}, expected a finite number.", seconds)
        return "failed"
    claim.complete(value, seconds, writing_speed(claim.folder))
    return "complete"


def _has_ended(folder: Path) -> bool:
    """Whether the run in a folder has used its budget, or stopped early, and was measured."""
    record = read_record(folder) if folder.exists() else None
    return record is not None and record.outcome is not None and record.outcome.stopped != "interrupted"
