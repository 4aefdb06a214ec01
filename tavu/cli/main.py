"""The command line: one file per verb, and one place where a mistake becomes a sentence."""

import os
import re
import sys
import traceback
from typing import Annotated, cast

import typer

import tavu
from tavu.cli import chat, evaluate, explain, finetune, generate, info, instruct_data, presets, quantize, report, serve, train
from tavu.errors import TavuError

app = typer.Typer(
    name="tavu",
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Train your own tiny language model from scratch on your own laptop, from raw bytes.\n\n"
    "Begin with: tavu train stories.txt --minutes 10, then tavu generate runs/stories",
)
VERBS = {
    "Train": (train, finetune, instruct_data, quantize),
    "Write": (generate, chat, serve),
    "Measure": (evaluate, explain, info, presets, report),
}
for panel, verbs in VERBS.items():
    for verb in verbs:
        name = verb.__name__.rsplit(".", 1)[1]
        app.command(name.replace("_", "-"), rich_help_panel=panel)(getattr(verb, name))

_UsageError = cast(type[typer.BadParameter], typer.BadParameter.__mro__[1])
"""An unknown verb or option, a missing argument, a word for a number: typer has no public name for them all."""


def _version(wanted: bool) -> None:
    if wanted:
        print(f"tavu {tavu.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
    traceback: Annotated[bool, typer.Option("--traceback", help="Show where in the code a mistake was found; may stand anywhere.")] = False,
) -> None:
    pass


def main() -> None:
    """Run the command; a mistake gets one sentence on stderr and exit status 2.

    Ctrl-C is status 130, but 0 where training could keep its model; a reader that has gone (`| head`) is status 1.
    """
    # Threads that wait give way after a moment: with another program on the machine, torch is several times faster so, and alone hardly slower.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's own threads, which nothing here uses, take a fifth of a second to start
    arguments = [argument for argument in sys.argv[1:] if argument != "--traceback"]
    if arguments[:1] == ["generate"]:
        arguments = generate.with_prompts_told_from_options(arguments)
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  (a model may write what a console cannot show)
    try:
        status = app(arguments or ["--help"], prog_name="tavu", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        status = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains as it flushes at exit
        status = 1
    except (TavuError, _UsageError, OSError) as error:
        if "--traceback" in sys.argv:
            traceback.print_exc()
        from tavu.reports.wording import showable  # names in files may hold what takes a terminal apart

        print(f"tavu: {showable(_sentence(error))}", file=sys.stderr)
        status = 2
    sys.exit(status)


def _sentence(error: Exception) -> str:
    if isinstance(error, _UsageError):
        said, command = error.format_message(), error.ctx.command_path if error.ctx else "tavu"
        told = f"{said if said.endswith(('.', '?')) else f'{said}.'} See `{command} --help`."
        begin = re.fullmatch("No such option: (-[^-])", said)
        meant = next((argument for argument in sys.argv[1:] if begin and argument.startswith(begin[1])), None)
        return f"{told} A text or name that begins with a dash comes last, after a `--`: `{command} ... -- {meant}`." if meant else told
    if isinstance(error, OSError):  # where it was foreseen it is a TavuError; what is left is mostly standard output on a full disk
        return f"{error.filename or 'Standard output'}: {error.strerror or error}. Add --traceback to see where in the code."
    return str(error)
