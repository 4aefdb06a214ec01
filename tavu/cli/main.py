"""The command line: one file per verb; errors are caught and printed here."""

import os
import re
import sys
import traceback
from typing import Annotated, cast

import typer

import tavu
from tavu.cli import (
    chat,
    distill,
    evaluate,
    explain,
    export,
    finetune,
    generate,
    info,
    instruct_data,
    presets,
    push,
    quantize,
    report,
    serve,
    sweep,
    synthesize,
    train,
)
from tavu.cli.launched import follow, follows
from tavu.errors import TavuError

app = typer.Typer(
    name="tavu",
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Train your own tiny byte-level language model from scratch on a laptop.\n\n"
    "Start with: tavu train stories.txt --minutes 10, then tavu generate runs/stories",
)
VERBS = {
    "Train": (train, sweep, finetune, distill, instruct_data, synthesize, quantize),
    "Write": (generate, chat, serve, export, push),
    "Measure": (evaluate, explain, info, presets, report),
}
for panel, verbs in VERBS.items():
    for verb in verbs:
        name = verb.__name__.rsplit(".", 1)[1]
        app.command(name.replace("_", "-"), rich_help_panel=panel)(getattr(verb, name))

_UsageError = cast(type[typer.BadParameter], typer.BadParameter.__mro__[1])
"""The base class of typer's usage errors (unknown command or option, missing argument, wrong type), which has no public name."""


def _version(wanted: bool) -> None:
    if wanted:
        print(f"tavu {tavu.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
    traceback: Annotated[bool, typer.Option("--traceback", help="Show the Python traceback of an error. Can be given anywhere.")] = False,
) -> None:
    pass


def main() -> None:
    """Run the command. An error prints one sentence to stderr and exits with status 2.

    Ctrl-C exits with status 130, or 0 if training saved its model; a closed pipe (`| head`) exits with status 1.
    """
    # Waiting threads yield early: torch is then several times faster on a busy machine, and hardly slower on an idle one.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's threads are not used, but take 0.2 s to start
    arguments = [argument for argument in sys.argv[1:] if argument != "--traceback"]
    if arguments[:1] == ["generate"]:
        arguments = generate.with_dash_prompt_last(arguments)
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  (a model may write characters that the console cannot encode)
    try:
        status: int | None = follow() if follows(arguments) else app(arguments or ["--help"], prog_name="tavu", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        status = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # otherwise Python's flush at exit raises again
        status = 1
    except (TavuError, _UsageError, OSError) as error:
        if "--traceback" in sys.argv:
            traceback.print_exc()
        from tavu.reports.wording import showable  # names in files may contain terminal control codes

        print(f"tavu: {showable(_sentence(error))}", file=sys.stderr)
        status = 2
    sys.exit(status)


def _named_command() -> str:
    """The command that the arguments name, for errors that do not tell."""
    verb = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), None)
    return f"tavu {verb}" if verb in {command.name for command in app.registered_commands} else "tavu"


def _sentence(error: Exception) -> str:
    if isinstance(error, _UsageError):
        message, command = error.format_message(), error.ctx.command_path if error.ctx else _named_command()
        sentence = f"{message if message.endswith(('.', '?')) else f'{message}.'} See `{command} --help`."
        begin = re.fullmatch("No such option: (-[^-])", message)
        argument_meant = next((argument for argument in sys.argv[1:] if begin and argument.startswith(begin[1])), None)
        return (
            f"{sentence} A text or name that begins with a dash must come last, after `--`: `{command} ... -- {argument_meant}`."
            if argument_meant
            else sentence
        )
    if isinstance(error, OSError):  # expected ones are TavuErrors; the rest is mostly standard output on a full disk
        return f"{error.filename or 'Standard output'}: {error.strerror or error}. Add --traceback to see where in the code."
    return str(error)
