"""report.html: one page on one run that needs nothing but itself, and the two files' way into the run folder."""

import html
import time
from pathlib import Path

from tavu.files import replace_file
from tavu.reports.curve import curve_svg
from tavu.reports.facts import facts, key_figures
from tavu.reports.page import page
from tavu.reports.plots import write_progress_png
from tavu.reports.run_folder import RunRecord, read_run
from tavu.reports.timeline import timeline
from tavu.reports.wording import bpb, duration, ending, meaning, showable
from tavu.run_folder import PICTURE, REPORT

RELOAD_SECONDS = 20
SILENT_SECONDS = 15 * 60
"""A run without an ending whose metrics have not grown for this long is no longer training."""


def write_report(folder: Path) -> None:
    """Makes progress.png and report.html in the run folder anew, each whole or not at all.

    Raises TavuError as `read_run` does, and when the folder cannot be written to.
    """
    record = read_run(folder)
    write_progress_png(record, record.folder / PICTURE)
    replace_file(record.folder / REPORT, report_page(record, now=time.time()).encode(errors="backslashreplace"))


def report_page(record: RunRecord, *, now: float) -> str:
    """The whole page as HTML; `now` (seconds since 1970) tells a run that trains from one that was killed."""
    result = record.result
    score = f"{bpb(result.val_bpb, result.standard_error)} <small>bits per byte</small>" if result else "<small>no result yet</small>"
    state_kind, state = _state(record, now)
    name = showable(record.name)
    header = (
        f'<p class="kind">tavu run</p>\n<h1>{html.escape(name)}</h1>\n<p class="state {state_kind}">{html.escape(state)}</p>\n'
        f'<div class="result"><p class="score">{score}</p><p class="meaning">{html.escape(meaning(record))}</p></div>\n{key_figures(record)}'
    )
    title = ("training… " if state_kind == "training" else "") + name + (f": {bpb(result.val_bpb)} bits per byte" if result else "")
    main = f"{_curve(record)}\n{timeline(record)}\n{facts(record)}"
    return page(title, header, main, reload_seconds=RELOAD_SECONDS if state_kind == "training" else None)


def _state(record: RunRecord, now: float) -> tuple[str, str]:
    if record.outcome:
        return "done", ending(record.outcome.stopped)
    when = time.strftime("%H:%M on %Y-%m-%d", time.localtime(record.last_written))
    if now - record.last_written > SILENT_SECONDS:
        return "silent", f"Stopped before its end: nothing was measured since {when}."
    return "training", f"Training… {duration(record.latest.seconds)} so far, at {when}. This page renews itself."


def _curve(record: RunRecord) -> str:
    """Both curves; the two radio buttons choose which one shows, by style alone."""
    notes = "".join(f"<li><b>{duration(note.seconds)}</b> {html.escape(showable(note.text))}</li>" for note in record.notes)
    milestone = '<span class="key milestone">a milestone: follow it to its text</span>' if record.samples else ""
    return (
        '<section id="curve"><h2>The curve</h2>'
        '<input type="radio" name="against" id="against-seconds" checked><label for="against-seconds">against time</label>'
        '<input type="radio" name="against" id="against-bytes"><label for="against-bytes">against bytes read</label>'
        f'<figure class="against-seconds">{curve_svg(record, "seconds")}</figure>'
        f'<figure class="against-bytes">{curve_svg(record, "bytes_seen")}</figure>'
        '<p class="legend"><span class="key valid">unseen text (validation, ± one standard error)</span> '
        f'<span class="key train">text it trains on</span> {milestone}</p>' + (f'<ul class="notes">{notes}</ul>' if notes else "") + "</section>"
    )
