"""The reference of the command line, from what typer knows of each verb."""

from typing import Any

import typer

from reference_from_code.markdown import code, escaped, prose, table
from tavu.cli.main import app

INTRODUCTION = """\
# Commands

`tavu VERB --help` shows the same in the terminal. For every verb:

- A model is named by its file, by the run folder it lies in, by its place on the Hugging Face hub as `hf:OWNER/NAME` or `hf:OWNER/NAME@REVISION`, or,
  for the one that comes with tavu, as `stories`.
- The answer goes to standard output, progress and remarks to standard error. `--json` prints the answer as one JSON object on the last line.
- A mistake gets one sentence and exit status 2; `--traceback` adds where in the code it was found. Ctrl-C is status 130, but 0 where a training
  could keep its model.
"""
KINDS = {"int": "NUMBER", "int range": "NUMBER", "float": "NUMBER", "str": "TEXT"}
"""What an option takes, by typer's name for it."""


def page() -> str:
    group: Any = typer.main.get_command(app)
    return "\n\n".join([INTRODUCTION, *(_verb(name, command) for name, command in group.commands.items())]) + "\n"


def _verb(name: str, command: Any) -> str:
    description, _, example = command.help.partition("Example:")
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option"]
    places = " ".join(_place(param) for param in arguments)
    parts = [f"## tavu {name}", escaped(" ".join(description.split())), f"```text\ntavu {name} {places} [OPTIONS]\n```"]
    if example:
        parts.append(f"For example:\n\n```text\n{example.strip()}\n```")
    if arguments:
        parts.append(table(["argument", "meaning"], ([code(param.name.upper()), prose(param.help or "")] for param in arguments)))
    for panel in dict.fromkeys(getattr(param, "rich_help_panel", None) for param in options):
        rows = [_option(param) for param in options if getattr(param, "rich_help_panel", None) == panel]
        parts += [f"**{panel}**"] * bool(panel) + [table(["option", "meaning", "default"], rows)]
    return "\n\n".join(parts)


def _place(param: Any) -> str:
    name = param.name.upper() + ("..." if param.nargs == -1 else "")
    return name if param.required else f"[{name}]"


def _option(param: Any) -> list[str]:
    takes = "" if param.is_flag else param.metavar or KINDS.get(param.type.name, param.type.name.upper())
    meaning, _, told = (param.help or "").partition("[default: ")
    default = told.rstrip("]") or ("" if param.is_flag or param.default in (None, "") else str(param.default))
    return [code(f"{', '.join([*param.opts, *param.secondary_opts])} {takes}".strip()), prose(meaning.strip()), escaped(default)]
