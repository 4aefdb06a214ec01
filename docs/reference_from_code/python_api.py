"""The reference of the Python API, from signatures and docstrings."""

import dataclasses
import importlib
import inspect
import re
import types
from typing import Any

from reference_from_code.markdown import code, prose, table
from reference_from_code.settings import meanings_of

INTRODUCTION = """\
# Python

`import tavu` takes no time: torch is loaded when it is first needed, and not at all to write with the native engine.
"""
SECTIONS = (
    ("Training", ("tavu.train", "tavu.train_events", "tavu.training.events.Finished")),
    ("A model", ("tavu.load", "tavu.LanguageModel")),
    ("What they take and return", ("tavu.config.SamplingConfig", "tavu.data.records.Request", "tavu.generation.writing.Written")),
    ("", ("tavu.evaluation.bits_per_byte.BitsPerByte", "tavu.TavuError")),
    (
        "Events of a training",
        tuple(f"tavu.training.events.{name}" for name in ("Started", "Progress", "Milestone", "Overfitting", "Stopping", "Note")),
    ),
)


def page() -> str:
    parts = [INTRODUCTION]
    for heading, names in SECTIONS:
        parts += [f"## {heading}"] * bool(heading)
        parts += [_told(name) for name in names]
    return "\n\n".join(parts) + "\n"


def _told(name: str) -> str:
    module, _, short = name.rpartition(".")
    thing = getattr(importlib.import_module(module), short)
    parts = [f"### {name if module == 'tavu' else short}"]
    if inspect.isfunction(thing):
        return "\n\n".join([*parts, _signature(short, thing), _docstring(thing)])
    if module != "tavu":
        parts.append(f"`from {module} import {short}`")
    parts.append(_docstring(thing))
    if dataclasses.is_dataclass(thing):
        meanings = meanings_of(thing)
        rows = [[code(field.name), code(_type(field.type)), prose(meanings.get(field.name, ""))] for field in dataclasses.fields(thing)]
        parts.append(table(["field", "type", "meaning"], rows))
    for name_, member in vars(thing).items():
        if name_.startswith("_") or not member.__doc__:
            continue
        if inspect.isfunction(member):
            parts += [f"#### {short}.{name_}", _signature(name_, member), _docstring(member)]
        elif isinstance(member, property):
            parts += [f"#### {short}.{name_}", _docstring(member)]
    return "\n\n".join(parts)


def _signature(name: str, function: types.FunctionType) -> str:
    parameters = inspect.signature(function).parameters.values()
    shown = [_parameter(parameter) for parameter in parameters if parameter.name != "self"]
    keyword_only = [i for i, parameter in enumerate(p for p in parameters if p.name != "self") if parameter.kind is inspect.Parameter.KEYWORD_ONLY]
    if keyword_only:
        shown.insert(keyword_only[0], "*")
    returns = _type(inspect.signature(function).return_annotation)
    line = f"{name}({', '.join(shown)}) -> {returns}"
    if len(line) > 90:
        line = f"{name}(\n    " + ",\n    ".join(shown) + f",\n) -> {returns}"
    return f"```python\n{line}\n```"


def _parameter(parameter: inspect.Parameter) -> str:
    told = parameter.name if parameter.annotation is parameter.empty else f"{parameter.name}: {_type(parameter.annotation)}"
    return told if parameter.default is parameter.empty else f"{told} = {parameter.default!r}"


def _type(annotation: Any) -> str:
    name = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Za-z])", "", name).strip("'\"")


def _docstring(thing: Any) -> str:
    """A docstring as Markdown, its doctests as code."""
    parts: list[str] = []
    for paragraph in (inspect.getdoc(thing) or "").split("\n\n"):
        if paragraph.startswith(">>> "):
            lines = [re.sub(r"\s*# doctest:.*$", "", line) for line in paragraph.splitlines()]
            parts.append("```pycon\n" + "\n".join(lines) + "\n```")
        else:
            parts.append(prose(paragraph))
    return "\n\n".join(parts)
