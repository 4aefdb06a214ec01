"""The command line: one file per verb, and one place where a mistake becomes a sentence."""

import sys
from typing import Annotated

import typer

import tavu
from tavu.cli import evaluate, generate, info, report, train
from tavu.errors import TavuError

app = typer.Typer(
    name="tavu",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Train your own tiny language model from scratch on your own laptop, from raw bytes.\n\n"
    "Begin with: tavu train stories.txt --minutes 10, then tavu generate runs/stories",
)
for verb in (train, generate, evaluate, info, report):
    name = verb.__name__.rsplit(".", 1)[1]
    app.command(name)(getattr(verb, name))


def _version(wanted: bool) -> None:
    if wanted:
        print(f"tavu {tavu.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
    traceback: Annotated[bool, typer.Option("--traceback", help="Show where in the code a mistake was found.")] = False,
) -> None:
    pass


def main() -> None:
    """Run the command; a mistake gets one sentence on stderr and exit status 2, Ctrl-C status 130."""
    try:
        app()
    except TavuError as error:
        if "--traceback" in sys.argv:
            raise
        print(f"tavu: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output, as `head`, has enough
        sys.stderr.close()
        sys.exit(0)
