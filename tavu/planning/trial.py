"""One trial of a sweep: what was varied, how it ended, and what its run folder tells."""

import itertools
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tavu.config import SamplingConfig
from tavu.engine import native
from tavu.errors import TavuError
from tavu.reports.run_folder import RunRecord, read_run
from tavu.run_folder import MODEL
from tavu.stored_model import open_model
from tavu.vocabulary import END

State = Literal["waiting", "running", "complete", "pruned", "failed"]
WRITING_SECONDS = 0.4
"""For so long the writing speed of a model is measured."""


@dataclass(frozen=True)
class Figures:
    """What a trial came to. None where it is not known."""

    val_bpb: float
    standard_error: float | None
    seconds: float
    bytes_seen: int
    bytes_per_second: float | None
    num_parameters: int | None
    file_bytes: int | None


@dataclass(frozen=True)
class Trial:
    number: int
    """From 1, in the order in which trials were planned."""
    chosen: dict[str, str]
    """The values of the varied settings."""
    state: State
    """`pruned`: stopped early, since it was worse than the median of the others at the same part of the budget."""
    folder: Path
    reason: str = ""
    """Why it failed."""
    record: RunRecord | None = None
    """What its run folder holds; None as long as nothing was measured."""
    figures: Figures | None = None
    writing_bytes_per_second: float | None = None
    """Of the native engine, one text at a time."""

    @property
    def is_over(self) -> bool:
        return self.state in ("complete", "pruned", "failed")


def read_figures(record: RunRecord) -> Figures | None:
    """The figures in a run folder: of its end, or of the last validation; None before the first."""
    result, end = record.result, record.outcome
    if result is None:
        return None
    size, file = record.environment.get("num_parameters"), record.folder / MODEL
    speed = end or (record.train[-1] if record.train else None)
    return Figures(
        val_bpb=result.val_bpb,
        standard_error=result.standard_error,
        seconds=result.seconds,
        bytes_seen=result.bytes_seen,
        bytes_per_second=speed.bytes_per_second if speed else None,
        num_parameters=size if isinstance(size, int) else None,
        file_bytes=file.stat().st_size if file.is_file() else None,
    )


def read_record(folder: Path) -> RunRecord | None:
    """What a run folder holds; None as long as nothing was measured there."""
    try:
        return read_run(folder)
    except TavuError:
        return None


def writing_speed(folder: Path) -> float | None:
    """Bytes per second that the model of a run folder writes in the native engine, one text at a time; None where that engine cannot run it."""
    stored = open_model(folder)
    if native.why_not(stored) is not None:
        return None
    engine, num_bytes = native.NativeEngine(stored), 0
    begun = time.perf_counter()
    for seed in itertools.count():
        for ids in engine.draw(b"", SamplingConfig(seed=seed), 1):
            num_bytes += int((ids != END).sum())
            seconds = time.perf_counter() - begun
            if seconds > WRITING_SECONDS:
                return num_bytes / seconds
            if (ids == END).any():
                break
    raise AssertionError
