"""tavu presets: the recipes that come with tavu."""

from typing import Annotated

import typer


def presets(as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on the last line.")] = False) -> None:
    """List the presets, with their purpose and size.

    Example: tavu presets
    """
    from rich.console import Console
    from rich.table import Table

    from tavu.cli.json_line import print_json_line
    from tavu.model.designs import cost
    from tavu.recipe import preset_description, preset_names, read_preset, to_recipe

    rows = []
    for name in preset_names():
        config = to_recipe(read_preset(name)).model
        whole = cost(config)
        about = {"context_bytes": config.max_seq_len, "description": preset_description(name)}
        rows.append({"name": name, "parameters": whole.num_parameters, "flops_per_byte": round(whole.flops_per_byte)} | about)
    if as_json:
        print_json_line({"presets": rows})
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("preset", no_wrap=True)
    for heading in ("parameters", "FLOPs per byte", "context"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(row["name"], *(f"{row[key]:,}" for key in ("parameters", "flops_per_byte", "context_bytes")))
    Console(soft_wrap=True).print(table)
    print()
    for row in rows:
        print(f"{row['name']}: {row['description']}")
    print("\nUse one with `tavu train SOURCE --preset NAME`. `tavu info NAME` shows its parts.")
