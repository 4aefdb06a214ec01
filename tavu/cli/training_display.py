"""What a person sees while a model trains: a live panel on a terminal, plain lines elsewhere, all on stderr; the summary on stdout."""

import math
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.text import Text

from tavu import runs
from tavu.config import Recipe
from tavu.data.corpus import Corpus
from tavu.data.documents import DocumentFile
from tavu.data.records import request_of
from tavu.data.split import FEW_VALID_BYTES
from tavu.evaluation.bits_per_byte import BitsPerByte
from tavu.reports.wording import showable
from tavu.training import events

PLAIN_SECONDS = 15.0
"""Between two lines of progress where there is no terminal."""


def show(recipe: Recipe, folder: Path, *, resume: bool, command: Sequence[str]) -> dict[str, Any]:
    """Run a training to its end, shown as it goes; returns what --json prints."""
    console = Console(stderr=True, highlight=False)
    view = _Live(console) if console.is_terminal else _Plain(console)
    finished: events.Finished | None = None
    options = [""]
    with view:
        for event in runs.run(recipe, folder, resume=resume, command=command, read_progress=view.reading):
            match event:
                case Corpus():
                    view.line(_corpus_line(event))
                    if recipe.data.as_records and (num := event.train.num_longer_than(recipe.model.max_seq_len)):
                        context = f"{num:,} records are longer than the context of {recipe.model.max_seq_len:,} bytes"
                        view.line(f"{context}: the rest of each is learned from without its prompt, which is out of sight there.")
                case events.Started():
                    view.line(_plan_line(event))
                    view.line(f"Training {'goes on' if resume else 'begins'}; Ctrl-C stops it and keeps the model. Watch {folder / 'report.html'}")
                case events.Progress():
                    view.progress(event)
                case events.Milestone():
                    view.milestone(event)
                    prompt = event.samples[-1][0]
                    options = _asked_for(prompt) if recipe.data.as_records else [prompt]
                case events.Overfitting():
                    best = _duration(event.best_seconds)
                    view.line(f"Validation rises as the text is read again: back to the model after {best}, and on with dropout, its tables at rest.")
                case events.Stopping():
                    view.line("Stopping: the model is measured and saved; a moment.")
                case events.Finished():
                    finished = event
    assert finished is not None
    print(_summary(finished, options, folder))
    return {
        "model": str(finished.model),
        "val_bpb": finished.validation.bits_per_byte,
        "val_standard_error": finished.validation.standard_error,
        "val_bytes": finished.validation.num_bytes,
        "steps": finished.step,
        "bytes_seen": finished.bytes_seen,
        "bytes_per_second": finished.bytes_per_second,
        "seconds": finished.seconds,
        "peak_memory_mb": finished.peak_memory_mb,
        "stopped": finished.stopped,
        "report": str(folder / "report.html"),
    }


class _Plain:
    """Lines, for logs and pipes."""

    def __init__(self, console: Console):
        self.console = console
        self.last_line = time.monotonic()

    def __enter__(self) -> "_Plain":
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def line(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)

    def reading(self, done: int, total: int | None) -> None:
        if time.monotonic() - self.last_line > PLAIN_SECONDS:
            self.last_line = time.monotonic()
            self.line(f"reading: {done / 1e6:,.0f} MB" + (f" of {total / 1e6:,.0f} MB" if total else ""))

    def progress(self, progress: events.Progress) -> None:
        if time.monotonic() - self.last_line > PLAIN_SECONDS:
            self.last_line = time.monotonic()
            self.line(_progress_line(progress))

    def milestone(self, milestone: events.Milestone) -> None:
        self.line(_milestone_line(milestone))
        for prompt, written in milestone.samples:
            self.line(f"    {showable(prompt)}|{showable(_one_line(written.text))[:160]}")


class _Live:
    """A panel that is redrawn in place: how far, how good, how fast, and the latest text. Milestones stay above it."""

    def __init__(self, console: Console):
        self.console = console
        self.live = Live(console=console, refresh_per_second=4, transient=True)
        self.latest: events.Progress | None = None
        self.text = Text("(the first text comes with the first milestone)", style="dim")
        self.bits = ""
        self.reading_since: float | None = None

    def __enter__(self) -> "_Live":
        self.live.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.live.update(Text(""))
        self.live.__exit__(None, None, None)

    def line(self, text: str) -> None:
        self.console.print(text, markup=False)

    def reading(self, done: int, total: int | None) -> None:
        self.reading_since = self.reading_since or time.monotonic()
        if time.monotonic() - self.reading_since > 2:
            bar = ProgressBar(total=total, completed=done, width=40) if total else Text("...")
            self.live.update(Group(Text(f"reading: {done / 1e6:,.0f} MB" + (f" of {total / 1e6:,.0f} MB" if total else "")), bar))

    def progress(self, progress: events.Progress) -> None:
        self.latest = progress
        self._draw()

    def milestone(self, milestone: events.Milestone) -> None:
        self.bits = f"validation {milestone.validation.bits_per_byte:.3f} bits per byte"
        self.line(_milestone_line(milestone))
        prompt, written = milestone.samples[-1]
        self.text = Text(showable(prompt), style="bold") + Text(showable(written.text), style="none")
        self._draw()

    def _draw(self) -> None:
        if self.latest is None:
            return
        bar = ProgressBar(total=1.0, completed=self.latest.fraction, width=None)
        panel = Panel(self.text, title=self.bits or None, border_style="cyan", padding=(0, 1))
        self.live.update(Group(panel, bar, Text(_progress_line(self.latest))))


def _corpus_line(corpus: Corpus) -> str:
    report = corpus.report
    counts = {"duplicates": report.duplicates, "also in valid": report.in_valid, "unreadable": report.skipped}
    dropped = [f"{count:,} {name}" for name, count in counts.items() if count]
    line = f"Text: {_amount(corpus.train)} to train on, {_amount(corpus.valid)} to validate"
    line += f" (dropped: {', '.join(dropped)})" if dropped else ""
    return "\n".join([line + ".", *(f"  {showable(note)}" for note in report.notes)])


def _amount(documents: DocumentFile) -> str:
    num = documents.num_documents
    return f"{documents.num_bytes:,} bytes in {f'{num:,} documents' if num != 1 else 'one document'}"


def _plan_line(started: events.Started) -> str:
    plan = started.plan
    speeds = "; ".join(f"{entry['setting']}: {entry['bytes_per_second']:,} bytes/s" for entry in plan.probe)
    chosen = f"{plan.device}, {plan.precision}, {plan.micro_batch_rows} rows at a time{', compiled' if plan.compile else ''}"
    size = f"Model: {sum(p.numel() for p in started.model.parameters()):,} parameters."
    return f"{size} Machine: {chosen}." + (f"\n  measured: {speeds}" if speeds else "")


def _progress_line(progress: events.Progress) -> str:
    left = progress.seconds * (1 / progress.fraction - 1) if progress.fraction else math.inf
    return (
        f"{100 * progress.fraction:5.1f} %  step {progress.step:,}  {progress.bytes_seen / 1e6:,.1f} MB seen  "
        f"training {progress.train_bpb:.3f} bits per byte  {progress.bytes_per_second:,.0f} bytes/s  {_duration(left)} left"
    )


def _milestone_line(milestone: events.Milestone) -> str:
    best = "" if milestone.is_best else " (not the best)"
    seen = f"after {milestone.bytes_seen / 1e6:,.2f} MB" + (f", dropout {milestone.dropout:.2f}" if milestone.dropout else "")
    return f"{_duration(milestone.seconds):>8}  validation {_bits(milestone.validation, 3)} bits per byte{best}  {seen}"


def _summary(finished: events.Finished, options: Sequence[str], folder: Path) -> str:
    since, end = _duration(finished.best_seconds), _duration(finished.seconds)
    ends = {
        "budget": f"Trained for {end}",
        "early": f"Validation had not improved since {since}, so training stopped at {end} with the best model kept",
        "interrupted": f"Stopped after {end}; go on with: tavu train --resume {_quoted(str(folder))}",
    }
    seen = f"{finished.bytes_seen / 1e6:,.1f} MB seen at {finished.bytes_per_second:,.0f} bytes/s"
    lines = [
        f"{ends[finished.stopped]}. {seen}, peak memory {finished.peak_memory_mb:,.0f} MB.",
        f"Validation: {_bits(finished.validation, 4)} bits per byte over {_counted(finished.validation)}.",
        f"Model:   {finished.model}",
        f"Report:  {folder / 'report.html'}",
        f"Picture: {folder / 'progress.png'}",
        f"Next:    tavu generate {' '.join(_quoted(showable(word)) for word in (str(folder), *options))}",
    ]
    return "\n".join(lines)


def _asked_for(prompt: str) -> list[str]:
    """The options of `tavu generate` that ask for what the prompt of a record does."""
    request = request_of(prompt)
    if request is None:
        return [prompt]
    asked = {
        "--words": ",".join(request.words),
        "--features": ",".join(request.features),
        "--summary": request.summary,
        "--sentence": request.sentence,
    }
    return [word for option, value in asked.items() if value for word in (option, value)]


def _bits(validation: BitsPerByte, digits: int) -> str:
    error = f" ± {validation.standard_error:.{digits}f}" if validation.num_documents > 1 else ""
    return f"{validation.bits_per_byte:.{digits}f}{error}"


def _counted(validation: BitsPerByte) -> str:
    return f"{validation.num_bytes:,} bytes" + (", too few to trust" if validation.num_bytes < FEW_VALID_BYTES else "")


def _quoted(word: str) -> str:
    """A word as a shell takes it.

    >>> print(_quoted("runs/tales"), _quoted("Once upon"), _quoted('say "hi"'))
    runs/tales "Once upon" 'say "hi"'
    """
    quoted = shlex.quote(word)
    return quoted if quoted == word or set(word) & set("\\\"$`!'") else f'"{word}"'


def _duration(seconds: float) -> str:
    """Seconds as people say them.

    >>> _duration(75), _duration(7325), _duration(math.inf)
    ('1 min 15 s', '2 h 2 min', '?')
    """
    if not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours} h {minutes_left} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _one_line(text: str) -> str:
    return " / ".join(line for line in text.splitlines() if line.strip())
