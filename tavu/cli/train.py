"""tavu train: from one's own text to one's own model, watched as it learns."""

import json
from pathlib import Path
from typing import Annotated

import typer


def train(
    source: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files, folders or globs (.txt, .jsonl, .csv, .parquet, also .gz/.zst/.xz), or tinystories, tinystories-instruct, or the built-in "
            "tales: 2 of their 88 plots for each minute; tales:40000 has all."
        ),
    ] = None,
    valid: Annotated[
        list[str] | None, typer.Option(help="Text to validate on; without it, part of SOURCE is set apart.", rich_help_panel="Text")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="words (for text), words-large, megabyte (for --bytes), megabyte-40m, megabyte-3-levels, or a .toml file.", rich_help_panel="Run"
        ),
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Train for so many minutes.", show_default="10", rich_help_panel="Budget")] = None,
    hours: Annotated[float | None, typer.Option(help="Train for so many hours.", rich_help_panel="Budget")] = None,
    steps: Annotated[int | None, typer.Option(help="Train for so many steps instead.", rich_help_panel="Budget")] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder.", show_default="runs/<name of SOURCE>", rich_help_panel="Run")] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Go on with the run in this folder; with a larger budget after its end. SOURCE: its text has moved.", rich_help_panel="Run"
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="The same seed, steps and machine give the same model.", show_default="0", rich_help_panel="Run")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Any setting of the recipe, as train.batch_bytes=4096.", rich_help_panel="Run"),
    ] = None,
    text_field: Annotated[
        str | None,
        typer.Option(
            help="The field of .jsonl, .csv and .parquet rows that holds the text, or several: title,body; or a column's number.",
            rich_help_panel="Text",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="lines|blank|REGEX", help="Text is many documents: its lines, or what blank lines or matches divide.", rich_help_panel="Text"
        ),
    ] = None,
    as_bytes: Annotated[bool, typer.Option("--bytes", help="Take files as raw bytes: images, audio, anything.", rich_help_panel="Text")] = False,
    as_records: Annotated[
        bool,
        typer.Option("--records", help="SOURCE holds records, as for `tavu finetune`: it learns to write what is asked for.", rich_help_panel="Text"),
    ] = False,
    record_bytes: Annotated[
        int | None,
        typer.Option(help="With --bytes: each so many bytes of a file are one document, as 784 for 28 x 28 images.", rich_help_panel="Text"),
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Skip and count what cannot be read.", rich_help_panel="Text")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on the last line.")] = False,
) -> None:
    """Train a model from scratch, and watch it learn to write.

    Example: tavu train stories.txt --minutes 30
    """
    from tavu import runs
    from tavu.cli.training import train_and_tell
    from tavu.errors import TavuError

    if minutes is not None and hours is not None:
        raise TavuError(f"The budget is given twice, as {minutes:g} minutes and as {hours:g} hours. Give one.")
    budget = {"minutes": hours * 60 if hours is not None else minutes, "steps": steps}
    settings = list(setting or ())
    for key, value in (("text_field", text_field), ("split", split), ("record_bytes", record_bytes), ("skip_bad", skip_bad or None)):
        settings += [f"data.{key}={json.dumps(value, ensure_ascii=False)}"] if value is not None else []
    if resume is not None:
        if preset or out or as_bytes or as_records or seed is not None:
            raise TavuError(
                "--resume goes on with the run as it is: give only --minutes, --hours, --steps or --set beside it, and where its text lies now."
            )
        recipe, folder = runs.old_recipe(resume, sources=source or (), valid=valid or (), settings=settings, **budget), resume
    elif not source:
        raise TavuError("There is nothing to train on. Name some text, as `tavu train stories.txt`, or try the built-in `tavu train tales`.")
    else:
        if as_bytes and as_records:
            raise TavuError("--bytes and --records exclude each other: records are text. Give one.")
        kind = {"as_bytes": as_bytes, "as_records": as_records}
        recipe = runs.new_recipe(source, valid=valid or (), preset=preset, seed=seed, settings=settings, **kind, **budget)
        folder = runs.new_folder(out, source[0])
    train_and_tell(recipe, folder, resume=resume is not None, as_json=as_json)
