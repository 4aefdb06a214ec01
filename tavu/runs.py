"""Training runs: from a recipe (run_recipes.py) to a corpus, training events, and the files of the run folder."""

import itertools
import json
import shlex
import shutil
import signal
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tavu.config import Recipe, TrainConfig
from tavu.data.corpus import Corpus, build_corpus
from tavu.data.kept import default_cache_dir
from tavu.errors import TavuError
from tavu.files import clear_unfinished, make_folder, replace_file, unwritable
from tavu.recipe import Tables, to_recipe, to_tables, to_toml
from tavu.run_folder import ENVIRONMENT, LOCK, MODEL, OWN_TEACHERS, RECIPE, STATE, STATE_FILE
from tavu.run_recipes import new_recipe, student_recipe, teacher_recipe, with_prompts
from tavu.training.events import Event, Finished, Milestone, Note, Progress, Started, Stopping, TeacherTrains
from tavu.training.run_lock import locked
from tavu.training.run_log import is_finished
from tavu.training_display import Display

if TYPE_CHECKING:  # slow to import
    from tavu.training.distributed import Ranks

RUNS = Path("runs")
"""The default parent folder of runs."""
MIN_EPOCHS = 10
"""Teachers of one's own pay when the budget would let a single model read the text about this often, or more (records/LOG.md)."""
ReadProgress = Callable[[int, int | None], None]
"""Called with (bytes read, total bytes or None) while a corpus is built."""


def train(
    sources: Sequence[str],
    *,
    valid: Sequence[str] = (),
    preset: str | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    out: str | Path | None = None,
    seed: int | None = None,
    settings: Sequence[str] = (),
    quiet: bool = False,
) -> Finished:
    """Train a model on sources (see data/sources.py), like `tavu train`, and return its file and its validation result.

    `settings` are section.key=value, as for --set. Progress is shown on stderr, or below the cell in a notebook, unless `quiet`.
    Raises TavuError for bad arguments or text. Ctrl-C saves the model, then raises KeyboardInterrupt; SIGTERM raises SystemExit.
    """
    recipe = new_recipe(sources, valid=valid, preset=preset, minutes=minutes, steps=steps, seed=seed, settings=settings)
    folder, event, stopped_by = new_folder(out, str(sources[0])), None, None
    with (
        nullcontext() if quiet else Display(recipe, folder) as display,
        closing(run(recipe, folder, command="tavu.train(...)", read_progress=display.reading if display else None)) as training_events,
    ):
        for event in training_events:
            if display:
                display.tell(event)
            if isinstance(event, Stopping):
                stopped_by = event.signal
    assert isinstance(event, Finished)
    if stopped_by == signal.SIGINT:
        raise KeyboardInterrupt
    if stopped_by is not None:
        raise SystemExit(128 + stopped_by)
    return event


def train_events(
    sources: Sequence[str],
    *,
    valid: Sequence[str] = (),
    preset: str | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    out: str | Path | None = None,
    seed: int | None = None,
    settings: Sequence[str] = (),
) -> Iterator[Corpus | Event]:
    """Like `train`, as an iterator of events (training/events.py), for a custom loop. Training advances only while you iterate.

    >>> for event in train_events(["stories.txt"], minutes=10):      # doctest: +SKIP
    ...     if isinstance(event, Milestone):
    ...         print(event.step, event.validation.bits_per_byte)
    """
    recipe = new_recipe(sources, valid=valid, preset=preset, minutes=minutes, steps=steps, seed=seed, settings=settings)
    return run(recipe, new_folder(out, str(sources[0])), command="tavu.train_events(...)")


def new_folder(out: str | Path | None, source: str) -> Path:
    """The folder of a new run: `out`, or runs/<name of its first source>, with a number if that exists. The latter is created here.

    Raises TavuError if `out` has a run already, or is a file.
    """
    if out is not None:
        if str(out).encode(errors="replace").decode() != str(out):
            raise TavuError(f"--out {str(out)!r} is not UTF-8, expected a name that every program can read. Choose another.")
        _refuse_a_run(Path(out))
        if Path(out).is_file():
            raise TavuError(f"{out} is a file, expected a folder for the run. Choose another --out.")
        return Path(out)
    name = Path(source.partition(":")[0].rstrip("/*")).name.split(".")[0].encode(errors="ignore").decode() or "run"
    make_folder(RUNS)
    for n in itertools.count(1):
        folder = RUNS / (name if n == 1 else f"{name}-{n}")
        try:
            folder.mkdir()
            (folder / LOCK).touch()
            return folder
        except FileExistsError:
            continue
        except OSError as error:
            raise TavuError(unwritable(folder, error)) from None
    raise AssertionError


def _refuse_a_run(folder: Path) -> None:
    if (folder / RECIPE).exists():
        raise TavuError(f"{folder} already has a run. Resume it with `tavu train --resume {folder}`, or choose another --out.")


def run(
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    command: str | Sequence[str] = "",
    read_progress: ReadProgress | None = None,
    ranks: "Ranks | None" = None,
) -> Generator[Corpus | Event]:
    """Run a training and yield its events: first the corpus, then the events of training. With several ranks, this is the first; see `follow`.

    Writes recipe.toml and environment.json to the folder once training has started, and report.html and progress.png at every milestone. The folder
    is locked meanwhile. If training never starts, a new folder is removed.
    """
    is_new = not folder.exists() or [path.name for path in folder.iterdir()] == [LOCK]
    was_empty = is_new or not any(folder.iterdir())
    make_folder(folder)
    with locked(folder):
        try:
            if not resume:
                _refuse_a_run(folder)
            if ranks is not None and recipe.distill is not None:
                raise TavuError("A student learns from its teachers in one process. Start the command without torchrun.")
            clear_unfinished(folder)
            clear_unfinished(folder / STATE)
            if recipe.distill is not None and recipe.distill.train_teachers:
                yield from _with_own_teachers(recipe, folder, resume, command, read_progress)
            else:
                yield from _run(recipe, folder, resume, command, read_progress, ranks)
        finally:
            if was_empty and not (folder / RECIPE).exists():
                _remove_unstarted(folder, itself=is_new)


def _remove_unstarted(folder: Path, *, itself: bool) -> None:
    """Remove the files of a run that never started from a folder that was empty, and the folder itself if it was new."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    if itself:
        folder.rmdir()
    if itself and folder.parent == RUNS and not any(RUNS.iterdir()):
        RUNS.rmdir()


def follow(ranks: "Ranks") -> None:
    """Take part in the training that the first of several ranks runs. Reads no more than the text, and writes nothing but its cache.

    Raises TavuError, as for text that is not there.
    """
    from tavu.training.loop import train as train_model

    tables, resume, folder = ranks.from_first((Tables(), False, ""))
    recipe = to_recipe(tables)
    corpus = ranks.in_turn(partial(build_corpus, recipe.data, cache_dir=default_cache_dir() / "corpora"))
    for _ in train_model(recipe, corpus, Path(folder), resume=resume, ranks=ranks):
        pass


def _run(
    recipe: Recipe, folder: Path, resume: bool, command: str | Sequence[str], read_progress: ReadProgress | None, ranks: "Ranks | None" = None
) -> Iterator[Corpus | Event]:
    build = partial(build_corpus, recipe.data, cache_dir=default_cache_dir() / "corpora", progress=read_progress)
    if ranks is not None:
        from tavu.training.machine import for_device

        recipe = replace(recipe, train=for_device(recipe.train))  # the device of this machine decides for all
        ranks.from_first((to_tables(recipe), resume, str(folder)))
    corpus = build() if ranks is None else ranks.in_turn(build)
    yield corpus

    from tavu.reports.report import write_report  # slow imports come after the text was checked
    from tavu.training.distributed import ALONE
    from tavu.training.loop import train as train_model
    from tavu.training.machine import for_device

    recipe = with_prompts(replace(recipe, train=for_device(recipe.train)), corpus)
    targets, begun = None, time.monotonic()
    if recipe.distill is not None:
        from tavu.distillation.teach import teach

        resume = resume and (folder / STATE / STATE_FILE).exists()  # not after a kill while teachers read
        if not resume:
            replace_file(folder / RECIPE, to_toml(recipe).encode(errors="surrogateescape"))  # so that such a kill can be resumed
        progress = read_progress or (lambda done, total: None)
        targets = yield from teach(recipe, corpus, folder, resume=resume, cache_dir=default_cache_dir() / "targets", progress=progress)
    preparation = time.monotonic() - begun if targets and not resume else 0.0
    learning = train_model(recipe, corpus, folder, resume=resume, targets=targets, preparation=preparation, ranks=ranks or ALONE)
    with closing(learning) as training_events:
        for event in training_events:
            if isinstance(event, Started):
                environment = _environment(event, corpus, command if isinstance(command, str) else shlex.join(command))
                replace_file(folder / ENVIRONMENT, json.dumps(environment, indent=1, ensure_ascii=False).encode(errors="backslashreplace"))
                # Written last: if it exists, everything that a resume needs exists. File names in it may be any bytes.
                replace_file(folder / RECIPE, to_toml(recipe).encode(errors="surrogateescape"))
            if isinstance(event, Finished) or (isinstance(event, Milestone) and event.fraction < 1):  # Finished comes right after the last milestone
                begun = time.monotonic()
                write_report(folder)
                event = replace(event, whole_seconds=event.whole_seconds + time.monotonic() - begun) if isinstance(event, Finished) else event
            yield event


def _with_own_teachers(
    recipe: Recipe, folder: Path, resume: bool, command: str | Sequence[str], read_progress: ReadProgress | None
) -> Iterator[Corpus | Event]:
    """Train the teachers of a run that have not finished yet, one after another, then their student. Ends after a training that a signal stopped."""
    distill, corpus, warned = recipe.distill, None, False
    assert distill is not None
    if not resume:  # so that a kill while they train can be resumed
        replace_file(folder / RECIPE, to_toml(recipe).encode(errors="surrogateescape"))
    for number in range(1, distill.train_teachers + 1):
        teacher = folder / OWN_TEACHERS / str(number)
        if (teacher / MODEL).is_file() and is_finished(teacher):
            continue
        yield TeacherTrains(number, distill.train_teachers)
        for event in run(teacher_recipe(recipe, number), teacher, resume=(teacher / RECIPE).exists(), command=command, read_progress=read_progress):
            if isinstance(event, Progress) and corpus is not None and not warned:
                warned = True
                if text := too_few_epochs(recipe.train, event.bytes_per_second, corpus.train.num_bytes):
                    yield Note(text)
            if isinstance(event, Corpus):
                corpus, is_new = event, corpus is None
                if not is_new:
                    continue
            yield event
            if isinstance(event, Finished) and event.stopped == "interrupted":
                return
    events = _run(student_recipe(recipe, folder), folder, (folder / STATE / STATE_FILE).exists(), command, read_progress)
    yield from (event for event in events if corpus is None or not isinstance(event, Corpus))


def too_few_epochs(train: TrainConfig, bytes_per_second: float, num_bytes: int) -> str | None:
    """Why teachers do not pay, if the whole budget is too short for it: the time is then better spent on a single model (records/LOG.md)."""
    read = train.steps * train.batch_bytes if train.steps is not None else 60 * (train.minutes or 0.0) * bytes_per_second
    if read >= MIN_EPOCHS * num_bytes:
        return None
    epochs = f"In this budget a single model reads the text about {read / num_bytes:.1f} times"
    return f"{epochs}; teachers pay from about {MIN_EPOCHS} times. Without --teachers the result is likely better."


def _environment(started: Started, corpus: Corpus, command: str) -> dict[str, object]:
    from tavu.model.designs import cost
    from tavu.training.machine import describe

    whole = cost(started.model.config)
    return {
        "command": command,
        **describe(started.plan),
        "world_size": started.world_size,
        "num_parameters": whole.num_parameters,
        "flops_per_byte": round(whole.flops_per_byte),
        "train_bytes": corpus.train.num_bytes,
        "train_documents": corpus.train.num_documents,
        "valid_bytes": corpus.valid.num_bytes,
        "valid_documents": corpus.valid.num_documents,
    }
