"""The recipe of a run: of a new one, of one that fine-tunes or is resumed, of a student and of its teachers.

A recipe is the preset, then what the caller asks for, then settings; later ones take precedence. Every path in it is absolute, so that a run can be
resumed from any folder.
"""

import glob
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from tavu.config import Recipe, TrainConfig
from tavu.data.corpus import Corpus
from tavu.data.hub import HUB_FILES
from tavu.data.records import MARK, split_document
from tavu.data.sources import expand_user, tales_for
from tavu.errors import TavuError
from tavu.recipe import Tables, override, parse_toml, read_preset, to_recipe, to_tables
from tavu.run_folder import MODEL, OWN_TEACHERS, RECIPE
from tavu.stored_model import find_model, open_model

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
_OPENING_WORDS = 4


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


def with_prompts(recipe: Recipe, corpus: Corpus) -> Recipe:
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
