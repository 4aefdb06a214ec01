"""The lines that a run leaves behind: metrics.jsonl and samples.jsonl, one JSON object a line, appended as they happen."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tavu.errors import TavuError
from tavu.files import replace_file, unwritable
from tavu.training.events import Finished, Milestone, Progress

METRICS_NAME, SAMPLES_NAME = "metrics.jsonl", "samples.jsonl"


class RunLog:
    """Appends to the two files of a run folder. A resume first takes back what was told after the saved step, and leaves out damaged lines."""

    def __init__(self, folder: Path, *, from_step: int = 0):
        self.metrics, self.samples = folder / METRICS_NAME, folder / SAMPLES_NAME
        for path in (self.metrics, self.samples):
            lines, _ = _whole_lines(path) if from_step else ([], 0)
            kept = [line for line in lines if line["step"] <= from_step and line.get("event") != "done"]
            replace_file(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept).encode(errors="backslashreplace"))

    def progress(self, progress: Progress, *, learning_rate: float) -> None:
        self._append(self.metrics, {"event": "train", **asdict(progress), "learning_rate": learning_rate})

    def milestone(self, milestone: Milestone) -> None:
        where = {"step": milestone.step, "seconds": milestone.seconds, "bytes_seen": milestone.bytes_seen}
        measured = {"val_bpb": milestone.validation.bits_per_byte, "standard_error": _number(milestone.validation.standard_error)}
        self._append(self.metrics, {"event": "valid", **where, **measured, "is_best": milestone.is_best, "dropout": milestone.dropout})
        for prompt, written in milestone.samples:
            text = {"prompt": prompt, "text": written.text, "stopped": written.stopped}
            self._append(self.samples, {**where, "val_bpb": milestone.validation.bits_per_byte, **text})

    def finished(self, finished: Finished) -> None:
        self._append(
            self.metrics,
            {
                "event": "done",
                "step": finished.step,
                "seconds": finished.seconds,
                "bytes_seen": finished.bytes_seen,
                "val_bpb": finished.validation.bits_per_byte,
                "standard_error": _number(finished.validation.standard_error),
                "bytes_per_second": finished.bytes_per_second,
                "peak_memory_mb": finished.peak_memory_mb,
                "stopped": finished.stopped,
            },
        )

    def note(self, step: int, seconds: float, text: str) -> None:
        self._append(self.metrics, {"event": "note", "step": step, "seconds": seconds, "text": text})

    def _append(self, path: Path, line: dict[str, Any]) -> None:
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        except OSError as error:
            raise TavuError(unwritable(path, error)) from None


def is_finished(folder: Path) -> bool:
    """Whether the run in a folder came to its end, the last measurement included."""
    lines, _ = _whole_lines(folder / METRICS_NAME)
    return bool(lines) and lines[-1].get("event") == "done"


def _whole_lines(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The lines that are objects of some step, and how many others there are. Lines end at LF alone: a text may hold U+2028 and its like."""
    lines, num_damaged = [], 0
    for line in path.read_bytes().split(b"\n") if path.is_file() else []:
        try:
            row = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError):
            row = []
        if isinstance(row, dict) and isinstance(row.get("step"), int):
            lines.append(row)
        elif row is not None:
            num_damaged += 1
    return lines, num_damaged


def _number(x: float) -> float | None:
    """x as JSON can hold it: None for what is not a number, as the standard error of one document."""
    return x if math.isfinite(x) else None
