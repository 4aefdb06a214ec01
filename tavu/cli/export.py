"""tavu export: a model for use without tavu."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    model: Annotated[Path, typer.Argument(help="A model file or run folder.")],
    to: Annotated[
        str,
        typer.Option(help="page: one HTML file that writes offline; web: an ES module for browsers; c: a C program; hf: a folder for transformers."),
    ],
    out: Annotated[Path, typer.Option(help="The file or folder to write, which must not exist.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on the last line.")] = False,
) -> None:
    """Export a model for use without tavu.

    Example: tavu export runs/stories --to page --out story.html
    """
    from tavu.cli.json_line import print_json_line
    from tavu.config import check
    from tavu.export.c import export_c
    from tavu.export.exported import Exported
    from tavu.export.page import export_page
    from tavu.export.web import export_web

    def export_hf(model: Path, out: Path) -> Exported:
        from tavu.export import hf  # imports torch

        return hf.export_hf(model, out)

    formats = {"page": export_page, "web": export_web, "c": export_c, "hf": export_hf}
    check(to in formats, "to", to, f"one of {', '.join(formats)}.")
    exported = formats[to](model, out)
    if as_json:
        print_json_line({"to": to, "out": str(exported.out), "num_bytes": exported.num_bytes})
        return
    print(f"{exported.out}: {exported.num_bytes:,} bytes. {exported.next_step}")
