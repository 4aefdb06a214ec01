"""tavu distill: train a student on what its teachers say of a text, and on the text."""

from pathlib import Path
from typing import Annotated

import typer


def distill(
    source: Annotated[list[str], typer.Argument(help="The text to learn from, as for `tavu train`.")],
    teacher: Annotated[
        list[str],
        typer.Option(
            help="A model file or run folder to learn from, or hf:NAME, a model of transformers. Several may be given: the mean of them teaches."
        ),
    ],
    valid: Annotated[
        list[str] | None, typer.Option(help="Text to validate on. By default, part of SOURCE is held out.", rich_help_panel="Text")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="The student: words (for text), megabyte (for --bytes), another preset, or a .toml file.", rich_help_panel="Run"),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="The budget in minutes. It includes what teachers read, up to half of it.", show_default="10", rich_help_panel="Budget"),
    ] = None,
    hours: Annotated[float | None, typer.Option(help="The budget in hours.", rich_help_panel="Budget")] = None,
    steps: Annotated[int | None, typer.Option(help="Train for this many steps instead.", rich_help_panel="Budget")] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder.", show_default="runs/<name of SOURCE>", rich_help_panel="Run")] = None,
    seed: Annotated[
        int | None, typer.Option(help="Random seed. The same seed, steps and machine give the same model.", show_default="0", rich_help_panel="Run")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change any setting of the recipe, e.g. distill.share=0.5.", rich_help_panel="Run"),
    ] = None,
    as_bytes: Annotated[bool, typer.Option("--bytes", help="Read files as raw bytes: images, audio, anything.", rich_help_panel="Text")] = False,
    as_records: Annotated[
        bool, typer.Option("--records", help="SOURCE has records, prompts with completions, as for `tavu finetune`.", rich_help_panel="Text")
    ] = False,
    text_field: Annotated[
        str | None, typer.Option(help="The field of .jsonl, .csv and .parquet rows that holds the text.", rich_help_panel="Text")
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Skip documents that cannot be read, and report how many.", rich_help_panel="Text")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on the last line.")] = False,
) -> None:
    """Train a small model on the predictions of one or more teachers, and on the text.

    The teachers read the text once; what they predict is kept on disk for later runs. Resume a run with `tavu train --resume`.

    Example: tavu distill stories.txt --teacher runs/large --teacher runs/larger --minutes 30
    """
    from tavu import run_recipes, runs
    from tavu.cli.training import budget_of, data_settings, train_and_print
    from tavu.errors import TavuError

    if as_bytes and as_records:
        raise TavuError("--bytes and --records exclude each other: records are text. Give one.")
    recipe = run_recipes.new_recipe(
        source,
        valid=valid or (),
        preset=preset,
        seed=seed,
        as_bytes=as_bytes,
        as_records=as_records,
        teachers=teacher,
        settings=[*(setting or ()), *data_settings(text_field=text_field, skip_bad=skip_bad or None)],
        **budget_of(minutes, hours, steps),
    )
    train_and_print(recipe, runs.new_folder(out, source[0]), resume=False, as_json=as_json)
