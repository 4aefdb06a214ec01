"""The log of a run: metrics.jsonl and samples.jsonl, one JSON object per line, appended as events happen."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tavu.files import replace_file
from tavu.run_folder import METRICS, SAMPLES, append_line, read_lines, to_line
from tavu.training.events import Finished, Milestone, Progress


class RunLog:
    """Appends to the two log files of a run folder."""

    def __init__(self, folder: Path):
        self.metrics, self.samples = folder / METRICS, folder / SAMPLES

    def begin(self, from_step: int) -> None:
        """Begin with empty files, or continue from a saved step: remove the lines after it, and damaged ones."""
        for path in (self.metrics, self.samples):
            lines = read_lines(path)[0] if from_step else []
            kept = [line for line in lines if _step(line) <= from_step and line.get("event") != "done"]
            replace_file(path, "".join(map(to_line, kept)).encode(errors="backslashreplace"))

    def progress(self, progress: Progress, *, learning_rate: float) -> None:
        append_line(self.metrics, {"event": "train", **asdict(progress), "learning_rate": learning_rate})

    def milestone(self, milestone: Milestone) -> None:
        where = {"step": milestone.step, "seconds": milestone.seconds, "bytes_seen": milestone.bytes_seen}
        measured = {"val_bpb": milestone.validation.bits_per_byte, "standard_error": _number(milestone.validation.standard_error)}
        append_line(self.metrics, {"event": "valid", **where, **measured, "is_best": milestone.is_best, "dropout": milestone.dropout})
        for prompt, written in milestone.samples:
            text = {"prompt": prompt, "text": written.text, "stopped": written.stopped}
            append_line(self.samples, {**where, "val_bpb": milestone.validation.bits_per_byte, **text})

    def finished(self, finished: Finished) -> None:
        append_line(
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
        append_line(self.metrics, {"event": "note", "step": step, "seconds": seconds, "text": text})


def is_finished(folder: Path) -> bool:
    """Whether the run in a folder has finished, final validation included."""
    lines, _ = read_lines(folder / METRICS)
    return bool(lines) and lines[-1].get("event") == "done"


def _step(line: dict[str, Any]) -> float:
    """The step of a line; infinity if the line is damaged."""
    step = line.get("step")
    return step if isinstance(step, int) else math.inf


def _number(x: float) -> float | None:
    """x for JSON: None if not finite, like the standard error of a single document."""
    return x if math.isfinite(x) else None
