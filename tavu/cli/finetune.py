"""tavu finetune: teach a model to write to order."""

from pathlib import Path
from typing import Annotated

import typer


def finetune(
    model: Annotated[Path, typer.Argument(help="The model to begin from: a file or run folder, or stories.")],
    data: Annotated[
        list[str],
        typer.Argument(help="Records: .jsonl (a story and its fields; prompt and completion; messages), or TinyStories-Instruct's .txt"),
    ],
    valid: Annotated[
        list[str] | None, typer.Option(help="Records to validate on; without it, part of DATA is set apart.", rich_help_panel="Text")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Train for so many minutes.", show_default="10", rich_help_panel="Budget")] = None,
    steps: Annotated[int | None, typer.Option(help="Train for so many steps instead.", rich_help_panel="Budget")] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder.", show_default="runs/<name of DATA>", rich_help_panel="Run")] = None,
    seed: Annotated[
        int | None, typer.Option(help="The same seed, steps and machine give the same model.", show_default="0", rich_help_panel="Run")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="SECTION.KEY=VALUE", help="Any setting of the recipe, as train.muon_learning_rate=0.005.", rich_help_panel="Run"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on the last line.")] = False,
) -> None:
    """Teach a trained model to write what is asked for. It learns from the answers alone, and goes on with `tavu train --resume`.

    Example: tavu finetune runs/stories instruct.jsonl --minutes 15
    """
    from tavu import runs
    from tavu.cli.training import train_and_tell

    recipe = runs.finetune_recipe(model, data, valid=valid or (), minutes=minutes, steps=steps, seed=seed, settings=setting or ())
    train_and_tell(recipe, runs.new_folder(out, data[0]), resume=False, as_json=as_json)
