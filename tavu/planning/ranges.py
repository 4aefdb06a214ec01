"""What a sweep varies: `--vary KEY=A,B,C` read and checked, and good values for the keys that matter most."""

import difflib
import itertools
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from tavu.config import DataConfig, ProgressConfig, TrainConfig
from tavu.errors import TavuError
from tavu.recipe import Tables, override, to_recipe

MAX_CHECKED = 2000
"""Up to this many combinations, each is checked before anything trains; of more, each value by itself."""


@dataclass(frozen=True)
class Varied:
    """A setting and the values it takes, as TOML or plain strings, numbers in ascending order."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Range:
    """Good values of a setting, and what it is, in a few words."""

    varied: Varied
    meaning: str


def _range(key: str, values: str, meaning: str) -> Range:
    return Range(Varied(key, tuple(values.split(","))), meaning)


_COMMON = (
    _range("train.batch_bytes", "2048,4096,8192,16384", "bytes of text in a step"),
    _range("train.muon_learning_rate", "0.01,0.02,0.03,0.05", "learning rate of matrices"),
    _range("train.dropout", "0.0,0.15,0.3,0.5", "maximum dropout, for text that is read several times"),
    _range("model.max_seq_len", "256,512,1024,2048", "bytes of context"),
    _range("model.levels.0.dim", "128,192,256,384", "width of the global model"),
    _range("model.levels.0.num_layers", "2,3,4,6", "depth of the global model"),
    _range("model.levels.1.dim", "64,128,192", "width of the local model"),
)
RANGES: dict[str, tuple[Range, ...]] = {
    "words": (
        *_COMMON,
        _range("model.word_rows", "1024,4096,16384", "rows of the word table"),
        _range("model.lexicon_words", "0,1000,3900", "words that are predicted as wholes; 0: none"),
        _range("model.pointer_dim", "0,32,64", "width of the pointer, which repeats words of the context; 0: none"),
    ),
    "fixed": (
        *_COMMON,
        _range("model.levels.0.patch_size", "4,8,16", "bytes in a patch"),
        _range("model.levels.1.num_layers", "1,2,3,4", "depth of the local model"),
        _range("model.cross_patch_bytes", "0,2,4", "bytes of the previous patch that the local model also reads"),
    ),
}
"""By patching: the ten settings that matter most, for `--vary KEY` without values and for `tavu sweep --list`."""


def ranges_of(tables: Tables) -> tuple[Range, ...]:
    """The ranges for the kind of model that a recipe has."""
    return RANGES["fixed" if tables.get("model", {}).get("patching") == "fixed" else "words"]


def read_varied(options: Sequence[str], tables: Tables) -> tuple[Varied, ...]:
    """What the --vary options ask for, checked against `tables`, a recipe with every setting.

    Raises TavuError for a key that is unknown or given twice, a value that the config classes refuse, and less than two values.
    """
    if not options:
        raise TavuError(
            "There is nothing to vary. Give a setting and its values, e.g. --vary train.batch_bytes=4096,8192, or see `tavu sweep --list`."
        )
    varied = tuple(_read(option, tables) for option in options)
    for one, other in itertools.combinations(varied, 2):
        if one.key == other.key:
            raise TavuError(f"--vary {one.key} is given twice, expected each setting once. Put all its values into one: --vary {one.key}=A,B,C.")
    for settings in _to_check(varied):
        try:
            to_recipe(override(tables, settings))
        except TavuError as error:
            raise TavuError(f"--vary does not fit: {' '.join(settings)} is refused. {error}") from None
    return varied


def combinations(varied: Sequence[Varied]) -> Iterator[dict[str, str]]:
    """Every combination of the values, as key -> value."""
    for values in itertools.product(*(one.values for one in varied)):
        yield {one.key: value for one, value in zip(varied, values, strict=True)}


def num_combinations(varied: Sequence[Varied]) -> int:
    return math.prod(len(one.values) for one in varied)


def as_settings(chosen: Mapping[str, str]) -> list[str]:
    """Chosen values as the arguments of --set."""
    return [f"{key}={value}" for key, value in chosen.items()]


def _to_check(varied: Sequence[Varied]) -> Iterator[list[str]]:
    if num_combinations(varied) <= MAX_CHECKED:
        yield from map(as_settings, combinations(varied))
        return
    for one in varied:
        for value in one.values:
            yield as_settings({one.key: value})


def _read(option: str, tables: Tables) -> Varied:
    key, equals, text = option.partition("=")
    key = key.strip()
    ranges = {known.varied.key: known.varied for known in ranges_of(tables)}
    if not equals and key in ranges:
        return ranges[key]
    known = _known_keys(tables)
    if key not in known:
        near = difflib.get_close_matches(key, [*ranges, *known], n=1, cutoff=0.5)
        meant = f"Did you mean {near[0]}?" if near else "See `tavu sweep --list`."
        raise TavuError(f"--vary {key!r} is not a setting of this recipe. {meant}")
    if not equals:
        raise TavuError(f"--vary {key} has no values, and tavu knows no range for it. Give some, as --vary {key}=A,B,C.")
    values = _split(text)
    if len(values) < 2:
        raise TavuError(f"--vary {option} has {len(values)} value{'s' * (len(values) != 1)}, expected two or more, as --vary {key}=A,B,C.")
    if len(set(values)) < len(values):
        raise TavuError(f"--vary {option} has a value twice, expected different values.")
    return Varied(key, _ascending(values))


def _split(text: str) -> list[str]:
    """The values of a list: of TOML where it is that, so that a value may itself be a list; else what stands between the commas.

    >>> _split("1,2.5"), _split("auto, on"), _split("[3],[3, 5]")
    (['1', '2.5'], ['auto', 'on'], ['[3]', '[3, 5]'])
    """
    try:
        return [value if isinstance(value, str) else _toml(value) for value in tomllib.loads(f"values = [{text}]")["values"]]
    except ValueError:
        return [value.strip() for value in text.split(",") if value.strip()]


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _ascending(values: list[str]) -> tuple[str, ...]:
    """Numbers in ascending order, so that neighbors are alike; anything else as it is given."""
    try:
        return tuple(sorted(values, key=float))
    except ValueError:
        return tuple(values)


def _known_keys(tables: Tables) -> list[str]:
    """The dotted names of all settings of the recipe's model, and of the sections."""
    sections = {"train": TrainConfig, "data": DataConfig, "sample": ProgressConfig}
    return [*_dotted("model", tables["model"]), *(f"{name}.{field.name}" for name, config in sections.items() for field in fields(config))]


def _dotted(prefix: str, node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _dotted(f"{prefix}.{key}", value)
    elif isinstance(node, list) and node and isinstance(node[0], dict):
        for index, value in enumerate(node):
            yield from _dotted(f"{prefix}.{index}", value)
    else:
        yield prefix
