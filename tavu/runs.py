"""A training run and its folder: from what a user asks for to a recipe, a corpus, events, and the files they leave."""

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
from itertools import islice
from pathlib import Path

from tavu.config import Recipe
from tavu.data.corpus import Corpus, build_corpus
from tavu.data.hub import HUB_FILES
from tavu.data.kept import default_cache_dir
from tavu.data.records import MARK, split_document
from tavu.data.sources import expand_user, tales_for
from tavu.errors import TavuError
from tavu.files import clear_unfinished, make_folder, replace_file, unwritable
from tavu.recipe import Tables, override, parse_toml, read_preset, to_recipe, to_tables, to_toml
from tavu.run_folder import ENVIRONMENT, LOCK, RECIPE, STATE
from tavu.stored_model import open_model
from tavu.training.events import Event, Finished, Milestone, Started, Stopping
from tavu.training.run_lock import locked
from tavu.training_display import Display

RUNS = Path("runs")
"""Where runs go that are not told where."""
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
"""What training differs in where it goes on from a model, whose rates had come down to zero: lower rates that fall from the start, and nearly all the
patience there is, since validation first rises, and comes down with the rates."""
_OPENING_WORDS = 4

ReadProgress = Callable[[int, int | None], None]
"""Told of (bytes read, bytes in all or None) while a corpus is built."""


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
    """Train a model on sources (see data/sources.py), as `tavu train` does, and return where it is and what it costs.

    `settings` are section.key=value, as for --set. How it goes is shown on stderr, in a notebook below its cell, unless `quiet`.
    Raises TavuError for what is wrong with any of it. Ctrl-C keeps the model, then raises KeyboardInterrupt; SIGTERM, SystemExit.
    """
    recipe = new_recipe(sources, valid=valid, preset=preset, minutes=minutes, steps=steps, seed=seed, settings=settings)
    folder, event, stopped_by = new_folder(out, sources[0]), None, None
    with (
        nullcontext() if quiet else Display(recipe, folder) as display,
        closing(run(recipe, folder, command="tavu.train(...)", read_progress=display.reading if display else None)) as told,
    ):
        for event in told:
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
    """What `train` does, as an iterator of what happens (training/events.py), for a loop of one's own; it trains as far as one iterates.

    >>> for event in train_events(["stories.txt"], minutes=10):      # doctest: +SKIP
    ...     if isinstance(event, Milestone):
    ...         print(event.step, event.validation.bits_per_byte)
    """
    recipe = new_recipe(sources, valid=valid, preset=preset, minutes=minutes, steps=steps, seed=seed, settings=settings)
    return run(recipe, new_folder(out, sources[0]), command="tavu.train_events(...)")


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
    settings: Sequence[str] = (),
) -> Recipe:
    """The checked recipe of a new run: a preset, then what was asked for, then the settings, each over the ones before.

    Of the built-in `tales` it names as many as can be learned within the budget, so that a resume reads the same ones.
    """
    if isinstance(sources, str) or not all(isinstance(source, (str, Path)) for source in sources):
        raise TavuError(f"The sources are {sources!r}, expected a list of names, as ['stories.txt'].")
    tables = read_preset(preset or (DEFAULT_BYTES_PRESET if as_bytes else DEFAULT_PRESET))
    data = {"sources": [_absolute(s) for s in sources], "valid": [_absolute(s) for s in valid], "as_bytes": as_bytes}
    data |= {"as_records": True, "skip_bad": True} if as_records else {}
    tables = _merge(tables, "data", data)
    recipe = to_recipe(override(_asked_for(tables, minutes, steps, seed), settings))
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
    """The recipe of a run that goes on from a model with records (data/records.py). Raises TavuError for what is wrong with any of it."""
    stored = open_model(model)
    file = stored.file
    if stored.facts.get("kind") == "bytes":
        raise TavuError(f"{file} is a model of raw bytes, and records are text. Fine-tune a model that was trained on text.")
    data = {"sources": [_absolute(s) for s in sources], "valid": [_absolute(s) for s in valid], "as_records": True, "skip_bad": True}
    tables: Tables = {"model": to_tables(stored.config), "data": data, "train": FINETUNE | {"begin_from": str(file.resolve())}}
    return to_recipe(override(_asked_for(tables, minutes, steps, seed), settings))


def old_recipe(
    folder: Path,
    *,
    sources: Sequence[str] = (),
    valid: Sequence[str] = (),
    minutes: float | None = None,
    steps: int | None = None,
    settings: Sequence[str] = (),
) -> Recipe:
    """The recipe of the run in a folder, with a new budget or settings where given, and sources where its text lies elsewhere now.

    Raises TavuError when there is none, or its model, batches or the reading of its data would change. That the text is the same is seen when it is
    read (training/loop.py).
    """
    path = folder / RECIPE
    if not path.is_file():
        raise TavuError(f"{folder} is not a run folder: it has no {RECIPE}. Name one that `tavu train` made, as runs/stories.")
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise TavuError(f"{path} could not be read: {error.strerror or error}. Change its permissions, or restore it from a copy.") from None
    try:
        before = to_recipe(tables := parse_toml(text, str(path)))
    except TavuError as error:
        said = str(error).removeprefix(f"{path} ")
        way_out = f"Correct it, restore it from a copy, or train again in another folder: tavu train SOURCE --out {folder}-2"
        raise TavuError(f"{path} {said if said != str(error) else f'is no recipe of this version: {said}'} {way_out}") from None
    places = {key: [_absolute(s) for s in named] for key, named in (("sources", sources), ("valid", valid)) if named}
    recipe = to_recipe(override(_asked_for(_merge(tables, "data", places), minutes, steps, None), settings))
    data = replace(recipe.data, sources=before.data.sources, valid=before.data.valid)
    one, other = ((r.model, r.train.batch_bytes, r.train.seed) for r in (recipe, before))
    if one != other or data != before.data:
        fixed = "the model, the reading of its text, batch_bytes and seed that it began with"
        raise TavuError(f"A run goes on with {fixed}; only other settings can change. Start a new run for these.")
    for read, way_out in (
        (recipe.data.sources, f"tavu train NEW_PLACE --resume {folder}"),
        (recipe.data.valid, f"tavu train --resume {folder} --valid NEW_PLACE"),
    ):
        if gone := [source for source in read if os.path.isabs(source) and not glob.has_magic(source) and not os.path.exists(source)]:
            raise TavuError(f"{gone[0]}: no such file or folder, and {folder} reads it. Put it back, or name its new place: {way_out}")
    return recipe


def new_folder(out: str | Path | None, source: str) -> Path:
    """The folder of a new run: `out`, or runs/<name of its first source>, with a number where that is taken; the latter is claimed by making it.

    Raises TavuError when `out` holds a run, or is a file.
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
        raise TavuError(f"{folder} already holds a run. Go on with it by --resume {folder}, or choose another --out.")


def run(
    recipe: Recipe, folder: Path, *, resume: bool = False, command: str | Sequence[str] = "", read_progress: ReadProgress | None = None
) -> Generator[Corpus | Event]:
    """Everything that a training does, told as it happens: first the corpus, then the events of training.

    The folder gets recipe.toml and environment.json once training has started, and at every milestone a new report.html and progress.png. No other
    process can train in it meanwhile. Where training never starts, no new folder is left.
    """
    is_new = not folder.exists() or [path.name for path in folder.iterdir()] == [LOCK]
    was_empty = is_new or not any(folder.iterdir())
    make_folder(folder)
    with locked(folder):
        try:
            if not resume:
                _refuse_a_run(folder)
            clear_unfinished(folder)
            clear_unfinished(folder / STATE)
            yield from _run(recipe, folder, resume, command, read_progress)
        finally:
            if was_empty and not (folder / RECIPE).exists():
                _take_away(folder, itself=is_new)


def _take_away(folder: Path, *, itself: bool) -> None:
    """Remove what a training that never started has left in a folder that was empty, and the folder where it was new."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    if itself:
        folder.rmdir()
    if itself and folder.parent == RUNS and not any(RUNS.iterdir()):
        RUNS.rmdir()


def _run(recipe: Recipe, folder: Path, resume: bool, command: str | Sequence[str], read_progress: ReadProgress | None) -> Iterator[Corpus | Event]:
    corpus = build_corpus(recipe.data, cache_dir=default_cache_dir() / "corpora", progress=read_progress)
    yield corpus

    from tavu.reports.report import write_report  # what takes seconds to load comes once the text is found to be in order
    from tavu.training.loop import train as train_model

    recipe = _with_prompts(recipe, corpus)
    with closing(train_model(recipe, corpus, folder, resume=resume)) as told:
        for event in told:
            if isinstance(event, Started):
                environment = _environment(event, corpus, command if isinstance(command, str) else shlex.join(command))
                replace_file(folder / ENVIRONMENT, json.dumps(environment, indent=1, ensure_ascii=False).encode(errors="backslashreplace"))
                # Last: where it is, a resume finds all that it needs. File names in it may be any bytes.
                replace_file(folder / RECIPE, to_toml(recipe).encode(errors="surrogateescape"))
            if isinstance(event, Finished) or (isinstance(event, Milestone) and event.fraction < 1):  # the end comes right after the last milestone
                begun = time.monotonic()
                write_report(folder)
                event = replace(event, whole_seconds=event.whole_seconds + time.monotonic() - begun) if isinstance(event, Finished) else event
            yield event


def _environment(started: Started, corpus: Corpus, command: str) -> dict[str, object]:
    from tavu.model.designs import cost
    from tavu.training.machine import describe

    whole = cost(started.model.config)
    return {
        "command": command,
        **describe(started.plan),
        "num_parameters": whole.num_parameters,
        "flops_per_byte": round(whole.flops_per_byte),
        "train_bytes": corpus.train.num_bytes,
        "train_documents": corpus.train.num_documents,
        "valid_bytes": corpus.valid.num_bytes,
        "valid_documents": corpus.valid.num_documents,
    }


def _asked_for(tables: Tables, minutes: float | None, steps: int | None, seed: int | None) -> Tables:
    if minutes is not None and steps is not None:
        raise TavuError(f"The budget is given twice, as {minutes:g} minutes and as {steps:,} steps. Give one.")
    asked = {"minutes": minutes, "steps": steps, "seed": seed}
    return override(tables, [f"train.{key}={value}" for key, value in asked.items() if value is not None])


def _merge(tables: Tables, section: str, values: Tables) -> Tables:
    return tables | {section: tables.get(section, {}) | values}


def _absolute(source: str) -> str:
    """The whole path of a file, folder or glob, so that a resume finds it from anywhere; a known name as it is."""
    path = expand_user(source)
    is_known = (source.partition(":")[0] == "tales" or source in HUB_FILES) and not path.is_file()  # a folder of that name is ./tales
    if is_known or not path.exists():
        return os.path.abspath(path) if glob.has_magic(source) else source
    return str(path.resolve())


def _with_prompts(recipe: Recipe, corpus: Corpus) -> Recipe:
    """The recipe with its prompts decided: unless it names some, nothing at all, and the words that most validation documents open with."""
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
