"""tavu train: train a model from scratch."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    source: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files, folders or globs (.txt, .jsonl, .csv, .parquet, also .gz/.zst/.xz), or tinystories, tinystories-instruct, or the built-in "
            "tales (2 of its 88 plots per minute of training; tales:40000 has all plots)."
        ),
    ] = None,
    valid: Annotated[
        list[str] | None, typer.Option(help="Text to validate on. By default, part of SOURCE is held out.", rich_help_panel="Text")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="words (for text), words-large, megabyte (for --bytes), megabyte-40m, megabyte-3-levels, or a .toml file.", rich_help_panel="Run"
        ),
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Train for this many minutes.", show_default="10", rich_help_panel="Budget")] = None,
    hours: Annotated[float | None, typer.Option(help="Train for this many hours.", rich_help_panel="Budget")] = None,
    steps: Annotated[int | None, typer.Option(help="Train for this many steps instead.", rich_help_panel="Budget")] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder.", show_default="runs/<name of SOURCE>", rich_help_panel="Run")] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Resume the run in this folder. A finished run needs a larger budget. If the text has moved, give SOURCE.", rich_help_panel="Run"
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Random seed. The same seed, steps and machine give the same model.", show_default="0", rich_help_panel="Run")
    ] = None,
    teachers: Annotated[
        int | None,
        typer.Option(
            help="Train this many teachers with different seeds first, then a student of them, all within the budget. See `tavu distill`.",
            rich_help_panel="Run",
        ),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="SECTION.KEY=VALUE", help="Change any setting of the recipe, e.g. train.batch_bytes=4096.", rich_help_panel="Run"
        ),
    ] = None,
    text_field: Annotated[
        str | None,
        typer.Option(
            help="The field of .jsonl, .csv and .parquet rows that holds the text. Several fields: title,body. Without a header: a column number.",
            rich_help_panel="Text",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="lines|blank|REGEX", help="Split text into documents at newlines, blank lines, or matches of REGEX.", rich_help_panel="Text"
        ),
    ] = None,
    as_bytes: Annotated[bool, typer.Option("--bytes", help="Read files as raw bytes: images, audio, anything.", rich_help_panel="Text")] = False,
    as_records: Annotated[
        bool,
        typer.Option("--records", help="SOURCE has records, prompts with completions, as for `tavu finetune`.", rich_help_panel="Text"),
    ] = False,
    record_bytes: Annotated[
        int | None,
        typer.Option(help="With --bytes: split files into documents of this many bytes, e.g. 784 for 28 x 28 images.", rich_help_panel="Text"),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Skip documents that cannot be read, and report how many.", rich_help_panel="Text")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on the last line.")] = False,
) -> None:
    """Train a model from scratch, showing what it writes as it learns.

    Example: tavu train stories.txt --minutes 30
    """
    from tavu import run_recipes, runs
    from tavu.cli.training import budget_of, data_settings, train_and_print
    from tavu.errors import TavuError

    budget = budget_of(minutes, hours, steps)
    settings = [
        *(setting or ()),
        *data_settings(text_field=text_field, split=split, record_bytes=record_bytes, skip_bad=skip_bad or None),
    ]
    if resume is not None:
        if preset or out or as_bytes or as_records or seed is not None or teachers is not None:
            raise TavuError(
                "--resume continues a run unchanged: it allows only --minutes, --hours, --steps, --set, and SOURCE or --valid if the text has moved."
            )
        recipe, folder = run_recipes.old_recipe(resume, sources=source or (), valid=valid or (), settings=settings, **budget), resume
    elif not source:
        raise TavuError("There is nothing to train on. Name a text, as in `tavu train stories.txt`, or try the built-in one: tavu train tales")
    else:
        if as_bytes and as_records:
            raise TavuError("--bytes and --records exclude each other: records are text. Give one.")
        if teachers is not None and teachers < 1:
            raise TavuError(f"--teachers is {teachers}, expected how many to train, 1 or more. To learn from models that exist, use `tavu distill`.")
        kind = {"as_bytes": as_bytes, "as_records": as_records, "train_teachers": teachers or 0}
        recipe = run_recipes.new_recipe(source, valid=valid or (), preset=preset, seed=seed, settings=settings, **kind, **budget)
        folder = runs.new_folder(out, source[0])
    train_and_print(recipe, folder, resume=resume is not None, as_json=as_json)
