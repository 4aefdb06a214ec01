"""The reference of recipes: each setting with its range and meaning, from the config dataclasses, and what each preset says."""

import ast
import dataclasses
import inspect
import types
import typing
from importlib import resources
from typing import Any

from reference_from_code.markdown import code, escaped, prose, table
from tavu.config import (
    DataConfig,
    DistillConfig,
    FixedPatchConfig,
    LevelConfig,
    MLPStackConfig,
    ProgressConfig,
    SamplingConfig,
    TrainConfig,
    TransformerConfig,
    WordPatchConfig,
)
from tavu.errors import TavuError
from tavu.recipe import Tables, override, preset_names, read_preset, to_recipe

SETTINGS = """\
# Settings of a recipe

A training is described by a *recipe*: a preset, overridden by what the command line says, overridden by each `--set SECTION.KEY=VALUE`. The whole
recipe is saved as `recipe.toml` in the run folder. A recipe of your own is a `.toml` file with some of these settings; name it with
`--preset my.toml`.

Values are written as in TOML: `--set train.batch_bytes=16384`, `--set 'model.ngram_orders=[3, 5]'`; `none` stands for no value. A setting that does
not exist, or is out of its range, is refused with a sentence that says what was expected. An entry of a list is named by its place:
`--set model.levels.0.num_layers=8`.
"""
PRESETS = """\
# Presets

A preset is a recipe that comes with tavu, named by `--preset`; `tavu presets` lists them. `tavu info PRESET` shows its parts, with the parameters,
operations and memory of each, and how it differs from the paper. What a preset leaves out has the default of [the settings](settings.md).
"""
SECTIONS = (
    ("data", DataConfig, "words", "The text, and how it is read."),
    ("train", TrainConfig, "words", "The budget, the learning rates, saving, and the machine."),
    ("distill", DistillConfig, "words", "The teachers of a student, as `tavu distill` and `tavu train --teachers` write them."),
    ("sample", ProgressConfig, "words", "What the model writes at each milestone of a training."),
    ("model", WordPatchConfig, "words", 'Models whose patches are words: `patching = "words"`.'),
    ("model", FixedPatchConfig, "megabyte", 'MEGABYTE, with patches of a fixed number of bytes: `patching = "fixed"`.'),
    ("model.levels.0", TransformerConfig, "words", "The global model of words, the first `[[model.levels]]` of a recipe."),
    ("model.levels.1", MLPStackConfig, "words", "The local model of words, the second `[[model.levels]]`."),
    ("model.levels.0", LevelConfig, "megabyte", "One level of fixed patches, each `[[model.levels]]` of a recipe."),
)
TYPES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
ABSURD = ("-1", "1e9", "1000000007", "'no-such'", "[]", "[99]")
"""Values that are out of range for nearly anything: the sentence that refuses one says what the range is."""


def settings_page() -> str:
    parts = [SETTINGS]
    for name, config, preset, told in SECTIONS:
        kinds = {WordPatchConfig: " of words", TransformerConfig: " of words", MLPStackConfig: " of words"}
        kind = (kinds | {FixedPatchConfig: " of fixed patches", LevelConfig: " of fixed patches"}).get(config, "")
        meanings = meanings_of(config)
        rows = [
            [code(f"{name}.{field.name}"), escaped(_default(field)), _range(name, field, preset, config), prose(meanings[field.name])]
            for field in dataclasses.fields(config)
        ]
        parts += [f"## {name}{kind}", told, table(["setting", "default", "range", "meaning"], rows)]
    meanings = meanings_of(SamplingConfig)
    rows = [[code(field.name), escaped(_default(field)), prose(meanings[field.name])] for field in dataclasses.fields(SamplingConfig)]
    parts += ["## Sampling", "How text is drawn: options of `tavu generate`, and arguments of `generate` in Python."]
    parts += [table(["setting", "default", "meaning"], rows)]
    return "\n\n".join(parts) + "\n"


def presets_page() -> str:
    parts = [PRESETS]
    for name in preset_names():
        text = (resources.files("tavu") / "presets" / f"{name}.toml").read_text(encoding="utf-8")
        comment, _, rest = text.partition("\n")
        parts += [f"## {name}", escaped(comment.removeprefix("#").strip()), f"```toml\n{rest.strip()}\n```"]
    return "\n\n".join(parts) + "\n"


def meanings_of(config: type) -> dict[str, str]:
    """What the string after each field of a dataclass says of it."""
    tree = ast.parse(inspect.getsource(config)).body[0]
    assert isinstance(tree, ast.ClassDef)
    meanings = {}
    for field, following in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(following, ast.Expr):
            meanings[field.target.id] = inspect.cleandoc(ast.literal_eval(following.value))
    return meanings


def _default(field: dataclasses.Field[Any]) -> str:
    value = field.default
    if value is dataclasses.MISSING:
        return "must be given"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return str(list(value)) if isinstance(value, tuple) else f"{value:,}" if isinstance(value, int) and value > 9999 else str(value)


def _range(section: str, field: dataclasses.Field[Any], preset: str, config: type) -> str:
    """What may be said, in the words of the sentence that refuses what may not; else the type."""
    tables: Tables = read_preset(preset)
    for value in ABSURD:
        try:
            to_recipe(override(tables, [f"{section}.{field.name}={value}"]))
        except TavuError as error:
            setting, _, expected = str(error).partition(", expected ")
            if setting.startswith(f"{section}.{field.name} is ") and expected.rstrip(".") not in TYPES.values():
                return escaped(expected.split(". ")[0].rstrip("."))
    return _type(typing.get_type_hints(config)[field.name])


def _type(hint: Any) -> str:
    inner = typing.get_args(hint)
    if typing.get_origin(hint) is types.UnionType:
        return f"{_type(inner[0])}, or none"
    if typing.get_origin(hint) is tuple:
        return "a list of tables" if dataclasses.is_dataclass(inner[0]) else f"a list, each {_type(inner[0])}"
    return TYPES[hint]
