"""The display of a training run: a live panel on a terminal, plain lines elsewhere, all on stderr; the summary on stdout."""

import math
import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.text import Text

from tavu.config import Recipe
from tavu.data.corpus import Corpus
from tavu.data.documents import DocumentFile
from tavu.data.records import request_of
from tavu.data.split import FEW_VALID_BYTES
from tavu.errors import TavuError
from tavu.reports.wording import counted, showable
from tavu.run_folder import PICTURE, RECIPE, REPORT
from tavu.training import events
from tavu.training.signals import without_interrupts

if TYPE_CHECKING:
    from tavu.evaluation.bits_per_byte import BitsPerByte

FEW_STEPS = 10
PLAIN_SECONDS = 15.0
"""Minimum time between two lines of progress without a terminal."""


class Display:
    """Shows the events of a training run. Use it as a context manager around the loop over the events.

    Training continues if the terminal is closed.
    """

    def __init__(self, recipe: Recipe, folder: Path, *, resume: bool = False):
        self.recipe, self.folder, self.resume = recipe, folder, resume
        console = Console(stderr=True, highlight=False)
        self.view = _Notebook() if console.is_jupyter else _Live(console) if console.is_terminal else _Plain()
        self.reading_began: tuple[float, int] | None = None
        """When the reading that goes on began, and how much had been read before."""
        self.next_options = [""]
        """The arguments of the `tavu generate` command that the summary suggests."""

    def __enter__(self) -> "Display":
        self.view.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        with without_interrupts() if kind is KeyboardInterrupt else nullcontext(), suppress(OSError):
            self.view.__exit__(kind, *exc)
            if kind is KeyboardInterrupt:
                self.view.line(_saved(self.folder))

    def reading(self, done: int, total: int | None) -> None:
        with suppress(OSError):
            now = time.monotonic()
            self.reading_began = self.reading_began or (now, done)
            since, at_first = self.reading_began
            left = (now - since) * (total - done) / (done - at_first) if total and done > at_first else None
            self.view.reading(done, total, left)

    def tell(self, event: Corpus | events.Event) -> None:
        with suppress(OSError):
            self._tell(event)

    def _tell(self, event: Corpus | events.Event) -> None:
        view, recipe = self.view, self.recipe
        match event:
            case Corpus():
                view.line(_corpus_line(event))
                if recipe.data.as_records and (num := event.train.num_longer_than(recipe.model.max_seq_len)):
                    longer = f"{counted(num, 'record')} {'is' if num == 1 else 'are'} longer"
                    context = f"{longer} than the context of {recipe.model.max_seq_len:,} bytes"
                    view.line(f"{context}: the rest of each is trained on without its prompt.")
            case events.TeacherTrains():
                view.line(f"Teacher {event.number} of {event.of} trains.")
            case events.TeacherReads():
                self.reading_began = None
                view.line(f"Teacher {event.number} of {event.of}, {showable(event.name)}, reads the text.")
            case events.Taught():
                view.line(_taught_line(event))
            case events.Started():
                view.line(_plan_line(event))
                starts, report = "resumes" if self.resume else "starts", self.folder / REPORT
                took = f" after {_duration(event.preparation)} of preparation" if event.preparation >= 1 else ""
                view.line(f"Training {starts}{took}; Ctrl-C stops it and saves the model. Live report: {showable(str(report))}")
            case events.Progress():
                view.progress(event)
            case events.Milestone():
                view.milestone(event)
                prompt = event.samples[-1][0]
                self.next_options = _request_options(prompt) if recipe.data.as_records else [prompt]
            case events.Overfitting():
                view.line(event.text)
            case events.Stopping():
                view.line("Stopping: saving and measuring the model, please wait. Ctrl-C again stops at once.")
            case events.Note():
                view.line(showable(event.text))

    def summary(self, finished: events.Finished) -> str:
        """A summary in a few lines, with the next command to run."""
        summary_lines = _summary(finished, self.next_options, self.folder)
        if self.recipe.train.minutes is not None and finished.stopped == "budget" and finished.step < FEW_STEPS:
            summary_lines = f"There was time for only {counted(finished.step, 'step')}: give it more minutes.\n{summary_lines}"
        return summary_lines


class _Plain:
    """Lines, for logs and pipes."""

    def __init__(self) -> None:
        self.last_line = time.monotonic()

    def __enter__(self) -> "_Plain":
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def line(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)  # rich would exit the process on a closed pipe

    def reading(self, done: int, total: int | None, left: float | None) -> None:
        if time.monotonic() - self.last_line > PLAIN_SECONDS:
            self.last_line = time.monotonic()
            self.line(_reading_line(done, total, left))

    def progress(self, progress: events.Progress) -> None:
        if time.monotonic() - self.last_line > PLAIN_SECONDS:
            self.last_line = time.monotonic()
            self.line(_progress_line(progress, math.inf))

    def milestone(self, milestone: events.Milestone) -> None:
        self.line(_milestone_line(milestone))
        for prompt, written in milestone.samples:
            self.line(f"    {showable(prompt)}|{showable(_one_line(written.text))[:160]}")


class _Notebook:
    """Lines below the cell: those printed so far, and a progress line that is overwritten.

    They are one display output that is updated, since notebooks show stderr like an error.
    """

    def __init__(self) -> None:
        from IPython.display import display  # pyright: ignore[reportMissingImports]  (installed in every notebook)

        self.lines: list[str] = []
        self.latest = display({"text/plain": ""}, raw=True, display_id=True)

    def __enter__(self) -> "_Notebook":
        return self

    def __exit__(self, *exc: object) -> None:
        self._show()

    def line(self, text: str) -> None:
        self.lines.append(text)
        self._show()

    def reading(self, done: int, total: int | None, left: float | None) -> None:
        self._show(_reading_line(done, total, left))

    def progress(self, progress: events.Progress) -> None:
        self._show(_progress_line(progress, math.inf))

    def milestone(self, milestone: events.Milestone) -> None:
        prompt, written = milestone.samples[-1]
        self.line(_milestone_line(milestone))
        self.line(f"    {showable(prompt)}|{showable(_one_line(written.text))[:160]}")

    def _show(self, *latest: str) -> None:
        self.latest.update({"text/plain": "\n".join([*self.lines, *latest])}, raw=True)


class _Live:
    """A panel that is redrawn in place: progress, validation, speed, and the latest sample. Milestones stay above it."""

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

    def reading(self, done: int, total: int | None, left: float | None) -> None:
        self.reading_since = self.reading_since or time.monotonic()
        if time.monotonic() - self.reading_since > 2:
            bar = ProgressBar(total=total, completed=done, width=40) if total else Text("...")
            self.live.update(Group(Text(_reading_line(done, total, left)), bar))

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
        self.live.update(Group(Text(_progress_line(self.latest, self.console.width)), bar, panel))  # rich cuts off what is too tall for the terminal


def _corpus_line(corpus: Corpus) -> str:
    report = corpus.report
    counts = {"duplicates": report.duplicates, "also in valid": report.in_valid, "unreadable": report.skipped}
    dropped = [f"{count:,} {name}" for name, count in counts.items() if count]
    line = f"Text: {_amount(corpus.train)} to train on, {_amount(corpus.valid)} to validate"
    line += f" (dropped: {', '.join(dropped)})" if dropped else ""
    return "\n".join([line + ".", *(f"  {showable(note)}" for note in report.notes)])


def _amount(documents: DocumentFile) -> str:
    num = documents.num_documents
    return f"{counted(documents.num_bytes, 'byte')} in {counted(num, 'document') if num != 1 else 'one document'}"


def _taught_line(taught: events.Taught) -> str:
    each = ", ".join(f"{showable(name)} {bpb:.3f}" for name, bpb in zip(taught.names, taught.bits_per_byte, strict=True))
    mean = f"; the mean of their distributions {taught.ensemble_bpb:.3f}" if len(taught.names) > 1 else ""
    best, name = min(zip(taught.bits_per_byte, taught.names, strict=True))
    advice = f" {showable(name)} alone is better than the mean: a student learns more without the others." if best < taught.ensemble_bpb else ""
    return f"Teachers, in bits per byte of the validation text: {each}{mean}.{advice}"


def _plan_line(started: events.Started) -> str:
    plan = started.plan
    speeds = "; ".join(f"{entry['setting']}: {entry['bytes_per_second']:,} bytes/s" for entry in plan.probe)
    processes = f"{started.world_size} processes, each " if started.world_size > 1 else ""
    chosen = f"{processes}{plan.device}, {plan.precision}, {counted(plan.micro_batch_rows, 'row')} at a time{', compiled' if plan.compile else ''}"
    size = f"Model: {sum(p.numel() for p in started.model.parameters()):,} parameters."
    return f"{size} Machine: {chosen}." + (f"\n  measured: {speeds}" if speeds else "")


def _reading_line(done: int, total: int | None, left: float | None) -> str:
    digits = 0 if (total or done) >= 1e7 else 2
    whole = f" of {total / 1e6:,.{digits}f} MB" if total else ""
    return f"reading: {done / 1e6:,.{digits}f} MB{whole}" + (f", {_duration(left)} left" if left and left >= 2 else "")


def _progress_line(progress: events.Progress, width: float) -> str:
    """Progress, loss and speed in one line; the least important parts are dropped if the width is too small."""
    parts = [
        (0, f"{100 * progress.fraction:5.1f} %"),
        (4, f"step {progress.step:,}"),
        (5, f"{progress.bytes_seen / 1e6:,.1f} MB seen"),
        (3, f"training {progress.train_bpb:.3f} bits per byte"),
        (2, f"{progress.bytes_per_second:,.0f} bytes/s"),
        (1, f"{_duration(progress.seconds_left)} left"),
    ]
    lines = ["  ".join(text for importance, text in parts if importance <= least) for least in range(5, -1, -1)]
    return next((line for line in lines if len(line) <= width), lines[-1])


def _milestone_line(milestone: events.Milestone) -> str:
    best = "" if milestone.is_best else " (not the best)"
    seen = f"after {milestone.bytes_seen / 1e6:,.2f} MB" + (f", dropout {milestone.dropout:.2f}" if milestone.dropout else "")
    return f"{_duration(milestone.seconds):>8}  validation {_bits(milestone.validation, 3)} bits per byte{best}  {seen}"


def _summary(finished: events.Finished, options: Sequence[str], folder: Path) -> str:
    since, end = _duration(finished.best_seconds), _duration(finished.seconds)
    ends = {
        "budget": f"Trained for {end}, {_duration(finished.whole_seconds)} in total",
        "early": f"Validation has not improved since {since}, so training stopped at {end}. The best model was kept",
        "interrupted": f"Stopped after {end}. Resume with: tavu train --resume {_quoted(str(folder))}",
    }
    seen = f"{finished.bytes_seen / 1e6:,.1f} MB seen at {finished.bytes_per_second:,.0f} bytes/s"
    lines = [
        f"{ends[finished.stopped]}. {seen}, peak memory {finished.peak_memory_mb:,.0f} MB.",
        f"Validation: {_bits(finished.validation, 4)} bits per byte over {_counted(finished.validation)}.",
        f"Model:   {finished.model}",
        f"Report:  {folder / REPORT}",
        f"Picture: {folder / PICTURE}",
        f"Next:    tavu generate {' '.join(_quoted(showable(word)) for word in (str(folder), *options))}",
    ]
    return "\n".join(lines)


def _saved(folder: Path) -> str:
    """What was saved of a run that was stopped at once, and how to resume it."""
    if not (folder / RECIPE).exists():
        return "Stopped before training began: nothing was saved."
    from tavu.training.run_log import is_finished
    from tavu.training.state import load_counters  # torch is already loaded

    if is_finished(folder):
        return f"Stopped at once. Everything is saved except the report. Make it with: tavu report {_quoted(str(folder))}"
    try:
        counters = load_counters(folder)
    except TavuError as error:
        return f"Stopped at once. {error}"
    since = f"step {counters.step:,}, after {_duration(counters.seconds)}"
    return f"Stopped at once. The last checkpoint is {since}. Resume with: tavu train --resume {_quoted(str(folder))}"


def _request_options(prompt: str) -> list[str]:
    """The options of `tavu generate` that make the same request as a record's prompt."""
    request = request_of(prompt)
    if request is None:
        return [prompt]
    request_fields = {
        "--words": ",".join(request.words),
        "--features": ",".join(request.features),
        "--summary": request.summary,
        "--sentence": request.sentence,
    }
    return [word for option, value in request_fields.items() if value for word in (option, value)]


def _bits(validation: "BitsPerByte", digits: int) -> str:
    error = f" ± {validation.standard_error:.{digits}f}" if validation.num_documents > 1 else ""
    return f"{validation.bits_per_byte:.{digits}f}{error}"


def _counted(validation: "BitsPerByte") -> str:
    return f"{validation.num_bytes:,} bytes" + (", too few to trust" if validation.num_bytes < FEW_VALID_BYTES else "")


def _quoted(word: str) -> str:
    """A word quoted for the shell.

    >>> print(_quoted("runs/tales"), _quoted("Once upon"), _quoted('say "hi"'))
    runs/tales "Once upon" 'say "hi"'
    """
    quoted = shlex.quote(word)
    return quoted if quoted == word or set(word) & set("\\\"$`!'") else f'"{word}"'


def _duration(seconds: float) -> str:
    """Seconds in a readable form.

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
