"""A training run and its folder: from what a user asks for to a recipe, a corpus, events, and the files they leave."""

import json
import shlex
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from tavu.config import DataConfig, Recipe
from tavu.data.corpus import Corpus, build_corpus
from tavu.data.kept import default_cache_dir
from tavu.data.records import MARK, split_document
from tavu.data.sources import SourceOptions, expand_user
from tavu.errors import TavuError
from tavu.files import make_folder, replace_file
from tavu.model.cost import cost
from tavu.model_file import load_model
from tavu.recipe import Tables, override, parse_toml, read_preset, to_recipe, to_tables, to_toml
from tavu.reports.report import write_report
from tavu.stored_model import find_model
from tavu.training.events import Event, Finished, Milestone, Started
from tavu.training.loop import train as train_events
from tavu.training.machine import describe

RECIPE_NAME, ENVIRONMENT_NAME = "recipe.toml", "environment.json"
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
) -> Finished:
    """Train a model on sources (see data/sources.py), as `tavu train` does, and return where it is and what it costs.

    `settings` are section.key=value, as for --set. Raises TavuError for what is wrong with any of it.
    """
    recipe = new_recipe(sources, valid=valid, preset=preset, minutes=minutes, steps=steps, seed=seed, settings=settings)
    *_, last = run(recipe, new_folder(out, recipe), command="tavu.train(...)")
    assert isinstance(last, Finished)
    return last


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
    """The checked recipe of a new run: a preset, then what was asked for, then the settings, each over the ones before."""
    tables = read_preset(preset or (DEFAULT_BYTES_PRESET if as_bytes else DEFAULT_PRESET))
    data = {"sources": [_absolute(s) for s in sources], "valid": [_absolute(s) for s in valid], "as_bytes": as_bytes}
    data |= {"as_records": True, "skip_bad": True} if as_records else {}
    tables = _merge(tables, "data", data)
    tables = override(_asked_for(tables, minutes, steps, seed), settings)
    return to_recipe(tables)


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
    file = find_model(model)
    network, facts = load_model(file)
    if facts.get("kind") == "bytes":
        raise TavuError(f"{file} is a model of raw bytes, and records are text. Fine-tune a model that was trained on text.")
    data = {"sources": [_absolute(s) for s in sources], "valid": [_absolute(s) for s in valid], "as_records": True, "skip_bad": True}
    tables: Tables = {"model": to_tables(network.config), "data": data, "train": FINETUNE | {"begin_from": str(file.resolve())}}
    return to_recipe(override(_asked_for(tables, minutes, steps, seed), settings))


def old_recipe(folder: Path, *, minutes: float | None = None, steps: int | None = None, settings: Sequence[str] = ()) -> Recipe:
    """The recipe of the run in a folder, with a new budget or settings where given.

    Raises TavuError when there is none, or its model, data or batches would change.
    """
    path = folder / RECIPE_NAME
    if not path.is_file():
        raise TavuError(f"{folder} is not a run folder: it has no {RECIPE_NAME}. Name one that `tavu train` made, as runs/stories.")
    tables = parse_toml(path.read_text(encoding="utf-8", errors="surrogateescape"), str(path))
    recipe = to_recipe(override(_asked_for(tables, minutes, steps, None), settings))
    before = to_recipe(tables)
    one, other = ((r.model, r.data, r.train.batch_bytes, r.train.seed) for r in (recipe, before))
    if one != other:
        fixed = "the model, data, batch_bytes and seed that it began with"
        raise TavuError(f"A run goes on with {fixed}; only other settings can change. Start a new run for these.")
    return recipe


def new_folder(out: str | Path | None, recipe: Recipe) -> Path:
    """The folder of a new run: `out`, or runs/<name of the first source>, with a number where that is taken.

    Raises TavuError when `out` holds a run, or is a file.
    """
    if out is not None:
        if str(out).encode(errors="replace").decode() != str(out):
            raise TavuError(f"--out {str(out)!r} is not UTF-8, expected a name that every program can read. Choose another.")
        if (Path(out) / RECIPE_NAME).exists():
            raise TavuError(f"{out} already holds a run. Go on with it by --resume {out}, or choose another --out.")
        if Path(out).is_file():
            raise TavuError(f"{out} is a file, expected a folder for the run. Choose another --out.")
        return Path(out)
    name = Path(recipe.data.sources[0].partition(":")[0].rstrip("/*")).name.split(".")[0].encode(errors="ignore").decode() or "run"
    return next(folder for n in range(1, 10**6) if not (folder := Path("runs") / (name if n == 1 else f"{name}-{n}")).exists())


def run(
    recipe: Recipe, folder: Path, *, resume: bool = False, command: str | Sequence[str] = "", read_progress: ReadProgress | None = None
) -> Iterator[Corpus | Event]:
    """Everything that a training does, told as it happens: first the corpus, then the events of training.

    The folder gets recipe.toml and environment.json once training has started, and at every milestone a new report.html and progress.png.
    Where it never starts, no new folder is left.
    """
    data, cache = recipe.data, default_cache_dir() / "corpora"
    corpus = build_corpus(data.sources, valid_sources=data.valid, options=source_options(data), cache_dir=cache, progress=read_progress)
    yield corpus
    recipe = _with_prompts(recipe, corpus)
    is_new = not folder.exists()
    make_folder(folder)
    try:
        for event in train_events(recipe, corpus, folder, resume=resume):
            if isinstance(event, Started):
                environment = _environment(event, corpus, command if isinstance(command, str) else shlex.join(command))
                replace_file(folder / ENVIRONMENT_NAME, json.dumps(environment, indent=1, ensure_ascii=False).encode(errors="backslashreplace"))
                # Last: where it is, a resume finds all that it needs. File names in it may be any bytes.
                replace_file(folder / RECIPE_NAME, to_toml(recipe).encode(errors="surrogateescape"))
            if isinstance(event, (Milestone, Finished)):
                write_report(folder)
            yield event
    finally:
        if is_new and not (folder / RECIPE_NAME).exists():
            shutil.rmtree(folder, ignore_errors=True)


def source_options(data: DataConfig) -> SourceOptions:
    return SourceOptions(
        data.text_field, data.as_bytes, data.record_bytes, data.skip_bad, data.as_records, data.split, max_unpacked_mb=data.max_unpacked_mb
    )


def _environment(started: Started, corpus: Corpus, command: str) -> dict[str, object]:
    whole = cost(started.model)
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
    """A file's whole path, so that a resume finds it from anywhere; other sources as they are."""
    path = expand_user(source)
    return str(path.resolve()) if path.exists() and (path.is_absolute() or "/" in source or path.is_file()) else source


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
