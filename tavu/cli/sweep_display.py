"""What `tavu sweep` shows: on stderr a line for each trial that starts or ends, and how far it is; then the summary and the JSON."""

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from tavu.planning.ranges import as_settings
from tavu.planning.study import Study
from tavu.planning.sweep import BEST, PAGE, Sweep
from tavu.planning.trial import Trial
from tavu.planning.work import Interrupted, SweepEvent, TrialEnds, TrialGoes, TrialStarts
from tavu.reports.wording import bpb, counted, duration, scaled, showable
from tavu.training.events import Milestone

LINE_SECONDS = 15.0
"""Minimum time between two lines about the same trial."""


class SweepDisplay:
    """Tells the events of a sweep on stderr. The sweep continues if the terminal is closed."""

    def __init__(self, study: Study):
        self.study, self.sweep = study, study.sweep
        self.last_line = time.monotonic()

    def begin(self) -> None:
        how = "every combination" if self.sweep.is_grid else f"chosen by TPE{', hopeless ones stopped early' * self.sweep.stops_early}"
        over = sum(trial.is_over for trial in self.study.trials())
        done = f" {over} of them are done." if over else ""
        self._line(f"{counted(self.sweep.num_trials, 'trial')}, {how}.{done} Ctrl-C stops; continue with: tavu sweep --resume {self.sweep.folder}")

    def tell(self, event: SweepEvent) -> None:
        match event:
            case TrialStarts():
                resumes = " resumes" if event.is_resumed else ""
                self._line(f"trial {event.number} of {self.sweep.num_trials}{resumes}: {' '.join(as_settings(event.chosen))}")
            case TrialGoes() if time.monotonic() - self.last_line > LINE_SECONDS:
                one = event.event
                bits = one.validation.bits_per_byte if isinstance(one, Milestone) else one.train_bpb
                kind = "validation" if isinstance(one, Milestone) else "training"
                self._line(f"  {100 * one.fraction:.0f} %  {kind} {bits:.3f} bits per byte  {self._left()}")
            case TrialEnds():
                self._line(f"  {_outcome(event.trial)}  {self._so_far()}")
            case Interrupted():
                self._line(f"Stopped; trial {event.number} is saved. Continue with: tavu sweep --resume {self.sweep.folder}")

    def _so_far(self) -> str:
        trials = self.study.trials()
        over = sum(trial.is_over for trial in trials)
        best = self.sweep.best(trials)
        so_far = f"best so far: trial {best.number}, {value_in_words(self.sweep, best)}" if best else "none complete yet"
        return f"({over} of {self.sweep.num_trials} done, {so_far}{self._left(', ')})"

    def _left(self, before: str = "") -> str:
        seconds = self.study.seconds_left()
        return f"{before}about {duration(seconds)} left" if seconds else ""

    def _line(self, text: str) -> None:
        self.last_line = time.monotonic()
        with suppress(OSError):
            print(showable(text), file=sys.stderr, flush=True)


def summary(sweep: Sweep, trials: Sequence[Trial]) -> str:
    """How many trials ended in which way, the best one, and what to do next."""
    counts = {state: sum(trial.state == state for trial in trials) for state in ("complete", "pruned", "failed", "running")}
    words = {"complete": "complete", "pruned": "stopped early", "failed": "failed", "running": "not finished"}
    told = ", ".join(f"{count} {words[state]}" for state, count in counts.items() if count)
    lines = [f"{counted(sweep.num_trials, 'trial')}: {told or 'none begun'}."]
    if sum(trial.is_over for trial in trials) < sweep.num_trials:
        lines.append(f"Continue: tavu sweep --resume {sweep.folder}")
    if best := sweep.best(trials):
        lines += [
            f"Best:    trial {best.number}, {' '.join(as_settings(best.chosen))}: {value_in_words(sweep, best)}",
            f"Page:    {sweep.folder / PAGE}",
            f"Next:    tavu train SOURCE --preset {sweep.folder / BEST} --minutes 30",
        ]
    return showable("\n".join(lines))


def to_json(sweep: Sweep, trials: Sequence[Trial]) -> dict[str, Any]:
    best = sweep.best(trials)
    return {
        "folder": str(sweep.folder),
        "page": str(sweep.folder / PAGE),
        "preset": str(sweep.folder / BEST) if best else None,
        "metric": sweep.metric,
        "best": _trial_json(best) if best else None,
        "trials": [_trial_json(trial) for trial in trials],
    }


def _trial_json(trial: Trial) -> dict[str, Any]:
    figures = trial.figures
    names = ("val_bpb", "standard_error", "seconds", "bytes_seen", "bytes_per_second", "num_parameters", "file_bytes")
    return {
        "number": trial.number,
        "state": trial.state,
        "settings": trial.chosen,
        "folder": str(trial.folder),
        **{name: getattr(figures, name) if figures else None for name in names},
        "writing_bytes_per_second": trial.writing_bytes_per_second,
        "reason": trial.reason or None,
    }


def value_in_words(sweep: Sweep, trial: Trial) -> str:
    value = sweep.value(trial)
    assert value is not None
    return scaled(value, "B/s") if sweep.metric == "bytes_per_second" else f"{bpb(value)} bits per byte"


def _outcome(trial: Trial) -> str:
    if trial.state == "failed":
        return f"failed: {trial.reason}"
    assert trial.figures is not None, "a trial that is complete or was stopped early has been measured"
    stopped = " when it was stopped early" if trial.state == "pruned" else ""
    speed = trial.figures.bytes_per_second
    return f"{bpb(trial.figures.val_bpb)} bits per byte{stopped}" + (f", {scaled(speed, 'B/s')}" if speed else "")
