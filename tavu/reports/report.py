"""Writes report.html and progress.png into a run folder, at each milestone and at the end."""

import math
import time
from pathlib import Path

from tavu.files import replace_file
from tavu.reports.curve import curve_of, milestone_id
from tavu.reports.facts import facts, key_figures, recipe_tables, speeds_tried
from tavu.reports.page import render
from tavu.reports.picture import write_progress_png
from tavu.reports.run_folder import RunRecord, read_run
from tavu.reports.wording import UNIFORM_BPB, WAITING, duration, ending, meaning
from tavu.run_folder import PICTURE, REPORT

RELOAD_SECONDS = 20
SILENT_SECONDS = 15 * 60
"""A run without an ending whose metrics have not grown for this long is no longer training."""


def write_report(folder: Path) -> None:
    """Write progress.png and report.html of a run folder, each whole or not at all.

    Raises TavuError as `read_run` does, and when the folder cannot be written to.
    """
    record = read_run(folder)
    write_progress_png(record, record.folder / PICTURE)
    replace_file(record.folder / REPORT, report_page(record, now=time.time()).encode())


def report_page(record: RunRecord, *, now: float) -> str:
    """The whole page as HTML; `now` (seconds since 1970) tells a run that is training from one that was killed."""
    state, state_in_words = _state(record, now)
    return render(
        "report.html",
        {
            "record": record,
            "state": state,
            "state_in_words": state_in_words,
            "reload_seconds": RELOAD_SECONDS,
            "meaning": meaning(record),
            "key_figures": key_figures(record),
            "curves": {"seconds": curve_of(record, "seconds"), "bytes": curve_of(record, "bytes_seen")},
            "milestone_id": milestone_id,
            "waiting": WAITING,
            "is_finite": math.isfinite,
            "share_of_uniform": lambda bpb: f"{min(max(bpb / UNIFORM_BPB, 0.0), 1.0):.1%}",
            "facts": facts(record),
            "probe": speeds_tried(record),
            "command": record.environment.get("command"),
            "recipe": recipe_tables(record),
        },
    )


def _state(record: RunRecord, now: float) -> tuple[str, str]:
    if record.outcome:
        return "done", ending(record.outcome.stopped)
    when = time.strftime("%H:%M on %Y-%m-%d", time.localtime(record.last_written))
    if now - record.last_written > SILENT_SECONDS:
        return "silent", f"Stopped before its end: nothing was measured since {when}."
    return "training", f"Training… {duration(record.latest.seconds)} so far, at {when}. This page reloads itself."
