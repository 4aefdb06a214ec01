"""tavu report: regenerate the report of a run."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="A run folder, e.g. runs/stories.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on the last line.")] = False,
) -> None:
    """Regenerate report.html and progress.png of a run.

    Example: tavu report runs/stories
    """
    from tavu.cli.json_line import print_json_line
    from tavu.reports.report import write_report
    from tavu.run_folder import PICTURE, REPORT

    write_report(run)
    files = {"report": str(run / REPORT), "picture": str(run / PICTURE)}
    if as_json:
        print_json_line(files)
    else:
        print(*files.values(), sep="\n")
