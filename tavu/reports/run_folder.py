"""Reads a run folder into one frozen value for the page and the picture.

The folder of a training that goes on can be read, too: samples, environment or recipe may be missing, and a kill may have cut the last line of a
`.jsonl`.
"""

import json
import math
import tomllib
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from tavu.errors import TavuError
from tavu.run_folder import ENVIRONMENT, METRICS, RECIPE, SAMPLES, TEACHERS, read_lines


@dataclass(frozen=True)
class TrainPoint:
    step: int
    seconds: float
    bytes_seen: int
    train_bpb: float
    learning_rate: float
    """As a share of the peak, 0 to 1."""
    bytes_per_second: float


@dataclass(frozen=True)
class ValidPoint:
    step: int
    seconds: float
    bytes_seen: int
    val_bpb: float
    standard_error: float


@dataclass(frozen=True)
class Note:
    step: int
    seconds: float
    text: str


@dataclass(frozen=True)
class Outcome:
    """How the training ended, and what its model is worth."""

    step: int
    seconds: float
    bytes_seen: int
    val_bpb: float
    standard_error: float
    bytes_per_second: float
    peak_memory_mb: float
    stopped: str
    """budget, early or interrupted."""


@dataclass(frozen=True)
class Sample:
    """What the model wrote after `prompt` at one milestone; `text` leaves the prompt out."""

    step: int
    seconds: float
    bytes_seen: int
    val_bpb: float
    prompt: str
    text: str
    stopped: str
    """end (the model ended the document itself) or length."""


@dataclass(frozen=True)
class RunRecord:
    folder: Path
    recipe: dict[str, Any]
    environment: dict[str, Any]
    teachers: dict[str, Any]
    """What teachers.json holds; empty for a run without teachers."""
    train: tuple[TrainPoint, ...]
    valid: tuple[ValidPoint, ...]
    notes: tuple[Note, ...]
    samples: tuple[Sample, ...]
    outcome: Outcome | None
    """None while the training goes on, or when it was killed."""
    last_written: float
    """When metrics.jsonl last grew, in seconds since 1970."""

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    @property
    def curve(self) -> tuple[ValidPoint, ...]:
        """The validations whose loss is finite, in order, and the outcome's if it is of a later step."""
        end = self.outcome
        points = list(self.valid)
        if end and (not points or end.step > points[-1].step):
            points.append(ValidPoint(end.step, end.seconds, end.bytes_seen, end.val_bpb, end.standard_error))
        return tuple(point for point in points if math.isfinite(point.val_bpb))

    @property
    def result(self) -> ValidPoint | Outcome | None:
        """How good the model is now: the outcome, or else the last validation; None before the first."""
        return self.outcome or (self.valid[-1] if self.valid else None)

    @property
    def latest(self) -> TrainPoint | ValidPoint | Outcome:
        """How far the run has come."""
        return self.outcome or max([*self.train[-1:], *self.valid[-1:]], key=lambda point: point.step)

    @property
    def prompts(self) -> tuple[str, ...]:
        """The prompts of the samples, in the order in which they first appear."""
        return tuple(dict.fromkeys(sample.prompt for sample in self.samples))

    def samples_of(self, prompt: str) -> tuple[Sample, ...]:
        return tuple(sample for sample in self.samples if sample.prompt == prompt)


def read_run(folder: Path) -> RunRecord:
    """The run in `folder`, finished or not.

    Damaged lines are left out, and a note says so. Raises TavuError when it is not a run folder, has measured nothing yet, or holds a broken file.
    """
    folder = Path(folder)
    metrics = folder / METRICS
    if not folder.is_dir():
        state = "is a file" if folder.exists() else "does not exist"
        raise TavuError(f"{folder} {state}, expected a run folder. Name the folder that `tavu train` wrote.")
    if not metrics.is_file():
        raise TavuError(f"{folder} holds no {METRICS}, expected a run folder. Name the folder that `tavu train` wrote.")
    damaged: list[str] = []
    train, valid, notes, outcome = _read_metrics(metrics, damaged)
    samples = _read_samples(folder / SAMPLES, damaged)
    if not train and not valid and not outcome:
        raise TavuError(f"{metrics} holds no measurement yet. Let the training run a little longer, then try again.")
    if damaged:
        lines = "a damaged line was" if len(damaged) == 1 else f"{len(damaged)} damaged lines were"
        notes.append(Note(0, 0.0, f"{lines} left out: {', '.join(damaged[:3])}."))
    return RunRecord(
        folder=folder,
        recipe=_read_table(folder / RECIPE, tomllib.loads),
        environment=_read_table(folder / ENVIRONMENT, json.loads),
        teachers=_read_table(folder / TEACHERS, json.loads),
        train=tuple(train),
        valid=tuple(valid),
        notes=tuple(notes),
        samples=tuple(samples),
        outcome=outcome,
        last_written=metrics.stat().st_mtime,
    )


_KINDS = {"train": TrainPoint, "valid": ValidPoint, "note": Note, "done": Outcome}


def _read_metrics(path: Path, damaged: list[str]) -> tuple[list[TrainPoint], list[ValidPoint], list[Note], Outcome | None]:
    train: list[TrainPoint] = []
    valid: list[ValidPoint] = []
    notes: list[Note] = []
    outcome = None
    for row in _rows(path, damaged):
        kind = row.get("event")
        if isinstance(kind, str) and kind not in _KINDS:
            continue  # of a later version
        match _value(_KINDS[kind], row) if isinstance(kind, str) else None:
            case TrainPoint() as point:
                _rewind(train, point.step)
                train.append(point)
                outcome = None  # more training after a "done": the run was resumed
            case ValidPoint() as measured:
                _rewind(valid, measured.step)
                valid.append(measured)
                outcome = None
            case Note() as note:
                notes.append(note)
            case Outcome() as end:
                outcome = end
            case None:
                damaged.append(f"{path.name}, a line that tells of {json.dumps(kind)[:20]}")
    return train, valid, notes, outcome


def _rewind(points: list[Any], step: int) -> None:
    """A run resumed from its last save tells the steps after it once more: the later telling counts."""
    while points and points[-1].step >= step:
        points.pop()


def _read_samples(path: Path, damaged: list[str]) -> list[Sample]:
    samples: list[Sample] = []
    for row in _rows(path, damaged):
        new = _value(Sample, row)
        if new is None:
            damaged.append(f"{path.name}, a sample")
            continue
        while samples and samples[-1].step > new.step:
            samples.pop()
        samples = [old for old in samples if (old.step, old.prompt) != (new.step, new.prompt)]
        samples.append(new)
    return samples


def _rows(path: Path, damaged: list[str]) -> list[dict[str, Any]]:
    """The objects of a log; which lines of it are damaged is added to `damaged`."""
    rows, lines = read_lines(path)
    damaged += [f"{path.name}, line {number}" for number in lines]
    return rows


T = TypeVar("T")


def _value(kind: type[T], row: dict[str, Any]) -> T | None:
    """The row as a `kind`, None where a field is missing or of another type; null is not-a-number where a float is expected."""
    values = {}
    for name, wanted in _fields_of(kind):
        value = row.get(name)
        if value is None and name in row and wanted is float:
            value = math.nan
        if value is None or not _fits(value, wanted):
            return None
        values[name] = wanted(value)
    return kind(**values)


@cache
def _fields_of(kind: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((field.name, field.type) for field in fields(kind))


def _fits(value: Any, kind: Any) -> bool:
    if kind is str or isinstance(value, bool):
        return isinstance(value, str)
    return isinstance(value, (int, float)) and not value < 0 and (kind is float or math.isfinite(value))


def _read_table(path: Path, parse: Any) -> dict[str, Any]:
    """A whole TOML or JSON file as a dict; empty where the file is not there yet."""
    if not path.is_file():
        return {}
    try:
        table = parse(path.read_text(encoding="utf-8", errors="surrogateescape"))  # a recipe names files, whose names may be any bytes
    except OSError as error:
        raise TavuError(f"{path} could not be read: {error.strerror or error}.") from None
    except (ValueError, RecursionError) as error:
        kind = path.suffix[1:].upper()
        raise TavuError(f"{path} is not {kind} ({error}). Restore the file, or delete it to report without it.") from None
    if not isinstance(table, dict):
        raise TavuError(f"{path} is {type(table).__name__}, expected an object. Restore the file, or delete it.")
    return table
