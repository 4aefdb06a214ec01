"""tavu report: the pictures of a run, made again."""

from pathlib import Path
from typing import Annotated

import typer


def report(run: Annotated[Path, typer.Argument(help="A run folder, as runs/stories.")]) -> None:
    """Make report.html and progress.png of a run again.

    Example: tavu report runs/stories
    """
    from tavu.reports.report import write_report

    write_report(run)
    for name in ("report.html", "progress.png"):
        print(run / name)
