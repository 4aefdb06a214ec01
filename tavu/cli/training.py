"""Shared by tavu train, finetune and distill: run the training with its display, print the summary, and the JSON result."""

import json
import signal
import sys
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

from tavu import runs
from tavu.cli.json_line import print_json_line
from tavu.cli.launched import first_of_several, num_processes
from tavu.config import Recipe
from tavu.errors import TavuError
from tavu.run_folder import REPORT, TEACHERS
from tavu.training.events import Finished
from tavu.training_display import Display


def budget_of(minutes: float | None, hours: float | None, steps: int | None) -> dict[str, Any]:
    """The budget in minutes or steps. Raises TavuError if it is given in minutes and in hours."""
    if minutes is not None and hours is not None:
        raise TavuError(f"The budget is given twice, as {minutes:g} minutes and as {hours:g} hours. Give one.")
    return {"minutes": hours * 60 if hours is not None else minutes, "steps": steps}


def data_settings(**options: str | int | None) -> list[str]:
    """The settings, as for --set, of options of the same names as in [data]; None is left out."""
    return [f"data.{key}={json.dumps(value, ensure_ascii=False)}" for key, value in options.items() if value is not None]


def train_and_print(recipe: Recipe, folder: Path, *, resume: bool, as_json: bool) -> None:
    event = None
    command = ["tavu", *sys.argv[1:]]
    try:
        with (
            first_of_several(folder) if num_processes() > 1 else nullcontext() as ranks,
            Display(recipe, folder, resume=resume) as display,
            closing(runs.run(recipe, folder, resume=resume, command=command, read_progress=display.reading, ranks=ranks)) as training_events,
        ):
            for event in training_events:
                display.tell(event)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C during exit would print a traceback after the last line
        raise
    assert isinstance(event, Finished)
    print(display.summary(event))
    if as_json:
        print_json_line(
            {
                "model": str(event.model),
                "val_bpb": event.validation.bits_per_byte,
                "val_standard_error": event.validation.standard_error,
                "val_bytes": event.validation.num_bytes,
                "steps": event.step,
                "bytes_seen": event.bytes_seen,
                "bytes_per_second": event.bytes_per_second,
                "seconds": event.seconds,
                "whole_seconds": event.whole_seconds,
                "peak_memory_mb": event.peak_memory_mb,
                "stopped": event.stopped,
                "report": str(folder / REPORT),
                **_teachers(folder),
            }
        )


def _teachers(folder: Path) -> dict[str, Any]:
    """The bits per byte of a student's teachers; nothing for a run without teachers."""
    if not (folder / TEACHERS).exists():
        return {}
    from tavu.distillation.teach import read_teachers

    teachers, ensemble_bpb = read_teachers(folder)
    return {"teacher_bpb": [teacher.val_bpb for teacher in teachers], "ensemble_bpb": ensemble_bpb}
