"""Recipes as TOML: presets, overrides, and conversion to checked configs. No inheritance, no interpolation."""

import dataclasses
import difflib
import os
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import tomli_w

from tavu.config import (
    DataConfig,
    DistillConfig,
    FixedPatchConfig,
    MLPStackConfig,
    ModelConfig,
    ProgressConfig,
    Recipe,
    TrainConfig,
    TransformerConfig,
    WordPatchConfig,
    check,
)
from tavu.errors import TavuError

SECTIONS = {"data": DataConfig, "train": TrainConfig, "sample": ProgressConfig}
PATCHINGS = {"fixed": FixedPatchConfig, "words": WordPatchConfig}

_CONSTANTS: dict[type, dict[str, tuple[int, str]]] = {
    TransformerConfig: {"patch_size": (1, "no value: words decide where patches begin.")},
    MLPStackConfig: {"num_heads": (0, "0: the local model is a stack of MLPs."), "patch_size": (1, "no value: words decide where patches begin.")},
}
"""What the tables of the two levels of `words` also have, as files of every version do, and the only value of each."""

Tables = dict[str, Any]
"""A recipe as parsed TOML: section name to table."""


def preset_names() -> list[str]:
    files = resources.files("tavu") / "presets"
    return sorted(file.name.removesuffix(".toml") for file in files.iterdir() if file.name.endswith(".toml"))


def preset_description(name: str) -> str:
    """What a preset is for: the comment that its file begins with."""
    text = (resources.files("tavu") / "presets" / f"{name}.toml").read_text(encoding="utf-8")
    return text.partition("\n")[0].removeprefix("#").strip()


def read_preset(name: str) -> Tables:
    """The tables of a preset or TOML file. Raises TavuError if there is neither, or if it is not valid TOML."""
    if name in preset_names():
        text = (resources.files("tavu") / "presets" / f"{name}.toml").read_text(encoding="utf-8")
    elif os.path.isfile(name):  # Path.is_file raises for names that are too long
        try:
            text = Path(name).read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise TavuError(f"{name} could not be read: {error.strerror}.") from None
    else:
        expected = f"one of {', '.join(preset_names())}, or a .toml file"
        raise TavuError(f"There is no preset {name!r}, expected {expected}.{_near(name, preset_names())}")
    return parse_toml(text, name)


def parse_toml(text: str, name: str) -> Tables:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise TavuError(f"{name} is not valid TOML: {error}.") from None


def override(tables: Tables, settings: Iterable[str]) -> Tables:
    """The tables with each `section.key=value` applied; the value is TOML, or else a plain string. Raises TavuError for a malformed one."""
    for setting in settings:
        path, equals, text = setting.partition("=")
        keys = path.strip().split(".")
        if not equals or len(keys) < 2:
            raise TavuError(f"--set {setting!r} is not of the form section.key=value, e.g. train.steps=100.")
        tables = _put(tables, keys, _value(text.strip()), setting)
        if keys in (["train", "minutes"], ["train", "steps"]):  # only one budget: the last one wins
            tables["train"].pop("steps" if keys[1] == "minutes" else "minutes", None)
    return tables


def _put(node: Any, keys: list[str], value: Any, setting: str) -> Any:
    """A copy of node (tables and lists) with value at the path of keys."""
    key, rest = keys[0], keys[1:]
    if isinstance(node, list):
        if not key.isdecimal() or int(key) >= len(node):
            raise TavuError(f"--set {setting!r}: {key} is not an index of a list of {len(node)}, expected 0 to {len(node) - 1}.")
        return [_put(item, rest, value, setting) if i == int(key) else item for i, item in enumerate(node)] if rest else value
    if not isinstance(node, dict):
        raise TavuError(f"--set {setting!r}: cannot set {key} inside a plain value.")
    return node | {key: _put(node.get(key, {}), rest, value, setting) if rest else value}


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # Python also raises these for 5000 digits or brackets
        return text


def to_recipe(tables: Tables) -> Recipe:
    """The checked recipe. Raises TavuError with the name of a setting that is unknown, of the wrong type, or out of range."""
    _refuse_unknown(tables, ["model", *SECTIONS, "distill"], "section", "")
    train = tables.get("train", {})
    if isinstance(train, dict) and "steps" in train and "minutes" not in train:
        tables = tables | {"train": train | {"minutes": "none"}}
    sections = {name: _read(config, tables.get(name, {}), name) for name, config in SECTIONS.items()}
    distill = _read(DistillConfig, tables["distill"], "distill") if "distill" in tables else None
    return Recipe(model=to_model_config(tables.get("model", {})), distill=distill, **sections)


def to_model_config(table: Mapping[str, Any]) -> ModelConfig:
    """The checked model of a [model] table. Raises TavuError like to_recipe."""
    if not isinstance(table, Mapping):
        raise TavuError(f"model is {table!r}, expected a table.")
    patching = table.get("patching")
    if not isinstance(patching, str) or patching not in PATCHINGS:
        raise TavuError(f"model.patching is {patching!r}, expected one of {', '.join(PATCHINGS)}.")
    return _read(PATCHINGS[patching], table, "model")


def to_tables(recipe: Recipe | ModelConfig) -> Tables:
    """The inverse of to_recipe and to_model_config. None is omitted, or written as "none" if the default is not None."""
    return _plain(recipe)


def to_toml(recipe: Recipe) -> str:
    return tomli_w.dumps(to_tables(recipe))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        values = [(field, getattr(value, field.name)) for field in dataclasses.fields(value)]
        table = {field.name: "none" if inner is None else _plain(inner) for field, inner in values if (inner, field.default) != (None, None)}
        return table | {key: constant for key, (constant, _) in _CONSTANTS.get(type(value), {}).items()}
    if isinstance(value, (tuple, list)):
        return [_plain(inner) for inner in value]
    return value


def _read(config: type, table: Any, where: str) -> Any:
    """A config dataclass from its table, with each value converted to the declared type."""
    if not isinstance(table, Mapping):
        raise TavuError(f"{where} is {table!r}, expected a table.")
    for key, (constant, expected) in _CONSTANTS.get(config, {}).items():
        check(table.get(key, constant) == constant, f"{where}.{key}", table.get(key), expected)
        table = {other: value for other, value in table.items() if other != key}
    hints = typing.get_type_hints(config)
    _refuse_unknown(table, list(hints), "setting", f"{where}.")
    missing = [f.name for f in dataclasses.fields(config) if f.default is dataclasses.MISSING and f.name not in table]
    if missing:
        raise TavuError(f"{where}.{missing[0]} is missing.")
    return config(**{key: _convert(hints[key], value, f"{where}.{key}") for key, value in table.items()})


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:  # X | None: TOML has no None; "" and "none" mean None
        return None if value in (None, "", "none") else _convert(arguments[0], value, where)
    if origin is tuple:
        items = value if isinstance(value, (list, tuple)) else [value]
        kinds = arguments if arguments[-1] is not Ellipsis else arguments[:1]
        return tuple(_convert(kinds[min(i, len(kinds) - 1)], item, f"{where}.{i}") for i, item in enumerate(items))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _read(hint, value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 64:
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        kind = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}[hint]
        raise TavuError(f"{where} is {value!r}, expected {kind}.")
    return value


def _refuse_unknown(table: Mapping[str, Any], known: list[str], kind: str, prefix: str) -> None:
    for key in table:
        if key not in known:
            expected = "" if difflib.get_close_matches(key, known) else f" Known: {', '.join(known)}."
            raise TavuError(f"There is no {kind} {prefix}{key}.{_near(key, known, prefix)}{expected}")


def _near(name: str, known: list[str], prefix: str = "") -> str:
    matches = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {prefix}{matches[0]}?" if matches else ""
