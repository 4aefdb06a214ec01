"""tavu finetune: fine-tune a model on records, prompts with completions."""

from pathlib import Path
from typing import Annotated

import typer


def finetune(
    model: Annotated[Path, typer.Argument(help="The model to start from: a model file, a run folder, or `stories`, which comes with tavu.")],
    data: Annotated[
        list[str],
        typer.Argument(
            help="Records: .jsonl (rows with a story and its fields, prompt and completion, or messages), or TinyStories-Instruct's .txt."
        ),
    ],
    valid: Annotated[
        list[str] | None, typer.Option(help="Records to validate on. By default, part of DATA is held out.", rich_help_panel="Text")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Train for this many minutes.", show_default="10", rich_help_panel="Budget")] = None,
    steps: Annotated[int | None, typer.Option(help="Train for this many steps instead.", rich_help_panel="Budget")] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder.", show_default="runs/<name of DATA>", rich_help_panel="Run")] = None,
    seed: Annotated[
        int | None, typer.Option(help="Random seed. The same seed, steps and machine give the same model.", show_default="0", rich_help_panel="Run")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="SECTION.KEY=VALUE", help="Change any setting of the recipe, e.g. train.muon_learning_rate=0.005.", rich_help_panel="Run"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on the last line.")] = False,
) -> None:
    """Fine-tune a model on records, for stories to order or for chat.

    Only the completions count in the loss. Resume a run with `tavu train --resume`.

    Example: tavu finetune runs/stories instruct.jsonl --minutes 15
    """
    from tavu import run_recipes, runs
    from tavu.cli.training import train_and_print

    recipe = run_recipes.finetune_recipe(model, data, valid=valid or (), minutes=minutes, steps=steps, seed=seed, settings=setting or ())
    train_and_print(recipe, runs.new_folder(out, data[0]), resume=False, as_json=as_json)
