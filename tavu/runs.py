"""Training runs: from options to a recipe, a corpus, training events, and the files of the run folder."""

import glob
import itertools
import json
import os
import shlex
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tavu.config import Recipe, TrainConfig
from tavu.data.corpus import Corpus, build_corpus
from tavu.data.hub import HUB_FILES
from tavu.data.kept import default_cache_dir
from tavu.data.records import MARK, split_document
from tavu.data.sources import expand_user, tales_for
from tavu.errors import TavuError
from tavu.files import clear_unfinished, make_folder, replace_file, unwritable
from tavu.recipe import Tables, override, parse_toml, read_preset, to_recipe, to_tables, to_toml
from tavu.run_folder import ENVIRONMENT, LOCK, MODEL, OWN_TEACHERS, RECIPE, STATE, STATE_FILE
from tavu.stored_model import find_model, open_model
from tavu.training.events import Event, Finished, Milestone, Note, Progress, Started, Stopping, TeacherTrains
from tavu.training.run_lock import locked
from tavu.training.run_log import is_finished
from tavu.training_display import Display

if TYPE_CHECKING:  # slow to import
    from tavu.training.distributed import Ranks

RUNS = Path("runs")
"""The default parent folder of runs."""
DEFAULT_PRESET, DEFAULT_BYTES_PRESET = "words", "megabyte"
FINETUNE: Tables = {
    "batch_bytes": 4096,
    "muon_every": 2,
    "muon_learning_rate": 0.005,
    "adamw_learning_rate": 5e-4,
    "table_learning_rate": 0.0025,
    "decay_fraction": 0.98,
    "patience": 0.9,
}
"""Training settings for fine-tuning: lower learning rates that fall from the start, and high patience, since validation first rises and improves only
as the rates fall."""
STUDENT: Tables = {"dropout": 0.0}
"""Training settings of a student: what its teachers say keeps it from memorizing the text."""
MIN_EPOCHS = 10
"""Teachers of one's own pay when the budget would let a single model read the text about this often, or more (records/LOG.md)."""
_OPENING_WORDS = 4

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


def new_recipe(
    sources: Sequence[str],
    *,
    valid: Sequence[str] = (),
    preset: str | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int | None = None,
    as_bytes: bool = False,
    as_records: bool = False,
    teachers: Sequence[str] = (),
    train_teachers: int = 0,
    settings: Sequence[str] = (),
) -> Recipe:
    """The checked recipe of a new run: the preset, then the arguments, then the settings; later ones take precedence.

    With `teachers`, names of models, it is that of their student; with `train_teachers`, that of a run that trains so many and then their student.
    For the built-in `tales`, it selects the number of plots for the budget, and stores it so that a resumed run reads the same ones.
    """
    if isinstance(sources, str) or not all(isinstance(source, (str, Path)) for source in sources):
        raise TavuError(f"The sources are {sources!r}, expected a list of names, e.g. ['stories.txt'].")
    tables = read_preset(preset or (DEFAULT_BYTES_PRESET if as_bytes else DEFAULT_PRESET))
    data = {"sources": [_absolute(str(s)) for s in sources], "valid": [_absolute(str(s)) for s in valid], "as_bytes": as_bytes}
    data |= {"as_records": True, "skip_bad": True} if as_records else {}
    tables = _merge(tables, "data", data)
    if teachers:
        tables = _merge(tables, "distill", {"teachers": [_absolute_teacher(name, as_bytes=as_bytes, as_records=as_records) for name in teachers]})
        tables |= {"train": STUDENT | tables.get("train", {})}
    elif train_teachers:
        tables = _merge(tables, "distill", {"train_teachers": train_teachers})
    recipe = to_recipe(override(_with_budget(tables, minutes, steps, seed), settings))
    if recipe.train.minutes is None:
        return recipe
    fitting = tuple(tales_for(recipe.train.minutes) if source == "tales" else source for source in recipe.data.sources)
    return replace(recipe, data=replace(recipe.data, sources=fitting))


def finetune_recipe(
    model: str | Path,
    sources: Sequence[str],
    *,
    valid: Sequence[str] = (),
    minutes: float | None = None,
    steps: int | None = None,
    seed: int | None = None,
    settings: Sequence[str] = (),
) -> Recipe:
    """The recipe of a run that fine-tunes a model on records (data/records.py). Raises TavuError for bad arguments."""
    stored = open_model(model)
    file = stored.file
    if stored.facts.get("kind") == "bytes":
        raise TavuError(f"{file} is a model of raw bytes, but records are text. Fine-tune a model that was trained on text.")
    data = {"sources": [_absolute(str(s)) for s in sources], "valid": [_absolute(str(s)) for s in valid], "as_records": True, "skip_bad": True}
    tables: Tables = {"model": to_tables(stored.config), "data": data, "train": FINETUNE | {"begin_from": str(file.resolve())}}
    return to_recipe(override(_with_budget(tables, minutes, steps, seed), settings))


def old_recipe(
    folder: Path,
    *,
    sources: Sequence[str] = (),
    valid: Sequence[str] = (),
    minutes: float | None = None,
    steps: int | None = None,
    settings: Sequence[str] = (),
) -> Recipe:
    """The recipe of the run in a folder, with a new budget or settings if given, and new sources if its text has moved.

    Raises TavuError if there is no recipe, or if its model, batches or data settings would change. Whether the text is the same is checked when it
    is read (training/loop.py).
    """
    path = folder / RECIPE
    if not path.is_file():
        raise TavuError(f"{folder} is not a run folder: it has no {RECIPE}. Name one that `tavu train` made, e.g. runs/stories.")
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise TavuError(f"{path} could not be read: {error.strerror or error}. Change its permissions, or restore it from a copy.") from None
    try:
        before = to_recipe(tables := parse_toml(text, str(path)))
    except TavuError as error:
        reason = str(error).removeprefix(f"{path} ")
        way_out = f"Fix it, restore it from a copy, or start a new run: tavu train SOURCE --out {folder}-2"
        raise TavuError(f"{path} {reason if reason != str(error) else f'is no recipe of this version: {reason}'} {way_out}") from None
    places = {key: [_absolute(s) for s in named] for key, named in (("sources", sources), ("valid", valid)) if named}
    recipe = to_recipe(override(_with_budget(_merge(tables, "data", places), minutes, steps, None), settings))
    data = replace(recipe.data, sources=before.data.sources, valid=before.data.valid)
    one, other = ((r.model, r.train.batch_bytes, r.train.seed, _teachers(r)) for r in (recipe, before))
    if one != other or data != before.data:
        fixed = "the model, data settings, batch_bytes, seed and teachers that it started with"
        raise TavuError(f"A resumed run keeps {fixed}; only other settings can change. Start a new run to change these.")
    for read, way_out in (
        (recipe.data.sources, f"tavu train NEW_PLACE --resume {folder}"),
        (recipe.data.valid, f"tavu train --resume {folder} --valid NEW_PLACE"),
    ):
        if gone := [source for source in read if os.path.isabs(source) and not glob.has_magic(source) and not os.path.exists(source)]:
            raise TavuError(f"{gone[0]}: no such file or folder, but the run {folder} needs it. Put it back, or name its new place: {way_out}")
    return recipe


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
        raise TavuError(f"{folder} already has a run. Resume it with --resume {folder}, or choose another --out.")


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

    recipe = _with_prompts(replace(recipe, train=for_device(recipe.train)), corpus)
    targets, begun = None, time.monotonic()
    if recipe.distill is not None:
        from tavu.distillation.teach import teach

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


def teacher_recipe(recipe: Recipe, number: int) -> Recipe:
    """The recipe of teacher `number`, from 1, of a run that trains its own teachers: another seed, and its part of the budget."""
    distill = recipe.distill
    assert distill is not None
    train = _part_of_budget(recipe.train, distill.teachers_fraction / distill.train_teachers)
    return replace(recipe, distill=None, train=replace(train, seed=recipe.train.seed + number))


def student_recipe(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe of the student of a run that has trained its own teachers: what they left of the budget, and no dropout."""
    distill = recipe.distill
    assert distill is not None
    teachers = tuple(str((folder / OWN_TEACHERS / str(number) / MODEL).resolve()) for number in range(1, distill.train_teachers + 1))
    train = replace(_part_of_budget(recipe.train, 1 - distill.teachers_fraction), **STUDENT)
    return replace(recipe, distill=replace(distill, teachers=teachers, train_teachers=0), train=train)


def _part_of_budget(train: TrainConfig, fraction: float) -> TrainConfig:
    if train.steps is not None:
        return replace(train, steps=max(1, round(train.steps * fraction)))
    assert train.minutes is not None, "a config has one budget"
    return replace(train, minutes=train.minutes * fraction)


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


def _with_budget(tables: Tables, minutes: float | None, steps: int | None, seed: int | None) -> Tables:
    if minutes is not None and steps is not None:
        raise TavuError(f"The budget is given twice, as {minutes:g} minutes and as {steps:,} steps. Give one.")
    asked = {"minutes": minutes, "steps": steps, "seed": seed}
    return override(tables, [f"train.{key}={value}" for key, value in asked.items() if value is not None])


def _merge(tables: Tables, section: str, values: Tables) -> Tables:
    return tables | {section: tables.get(section, {}) | values}


def _absolute_teacher(name: str, *, as_bytes: bool, as_records: bool) -> str:
    """A teacher with its absolute path; a name of the hub unchanged. Raises TavuError if there is none, or it cannot teach this kind of data."""
    from tavu.distillation.model_teacher import SUBWORD_PREFIX, open_teacher

    open_teacher(name, as_bytes=as_bytes, as_records=as_records)
    if name.startswith(SUBWORD_PREFIX):
        path = Path(name.removeprefix(SUBWORD_PREFIX))
        return f"{SUBWORD_PREFIX}{path.resolve()}" if path.exists() else name
    return str(find_model(name).resolve())


def _teachers(recipe: Recipe) -> object:
    """What must stay the same of a run's teachers."""
    distill = recipe.distill
    return None if distill is None else (distill.teachers, distill.train_teachers, distill.top_k)


def _absolute(source: str) -> str:
    """The absolute path of a file, folder or glob, so that a run can be resumed from any folder; a known name unchanged."""
    path = expand_user(source)
    is_known = (source.partition(":")[0] == "tales" or source in HUB_FILES) and not path.is_file()  # a folder of that name must be given as ./tales
    if is_known or not path.exists():
        return os.path.abspath(path) if glob.has_magic(source) else source
    return str(path.resolve())


def _with_prompts(recipe: Recipe, corpus: Corpus) -> Recipe:
    """The recipe with its sample prompts. Default: an empty prompt, and the most common opening words of the validation documents."""
    if recipe.sample.prompts:
        return recipe
    if recipe.data.as_bytes:
        return replace(recipe, sample=replace(recipe.sample, prompts=("",)))
    if recipe.data.as_records:
        prompts = (split_document(bytes(corpus.valid.document(i)))[0] for i in range(corpus.valid.num_documents))
        asked = dict.fromkeys(prompt.removesuffix(MARK).decode() for prompt in prompts)
        return replace(recipe, sample=replace(recipe.sample, prompts=tuple(islice(asked, 3))))
    openings = Counter[str]()
    for i in range(min(1000, corpus.valid.num_documents)):
        words = bytes(corpus.valid.document(i)[:200]).decode(errors="ignore").split()[:_OPENING_WORDS]
        openings[" ".join(words)] += 1
    return replace(recipe, sample=replace(recipe.sample, prompts=("", openings.most_common(1)[0][0])))
