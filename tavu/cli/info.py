"""tavu info: the parts of a model, their sizes and FLOPs."""

from pathlib import Path
from typing import Annotated

import typer


def info(
    model: Annotated[Path, typer.Argument(help="A model file or run folder, or the name of a preset.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on the last line.")] = False,
) -> None:
    """Show the parts of a model, with parameters, FLOPs per byte and cache size, and how it differs from the MEGABYTE paper.

    Example: tavu info runs/stories
    """
    from rich.console import Console
    from rich.table import Table

    from tavu.cli.json_line import print_json_line
    from tavu.language_model import load
    from tavu.model.designs import cost, differs_from_paper, tensor_specs
    from tavu.recipe import preset_names, read_preset, to_recipe
    from tavu.reports.wording import showable

    if str(model) in preset_names() and not model.exists():
        config, facts, size = to_recipe(read_preset(str(model))).model, {}, None
    else:
        loaded = load(model)  # checks its tensors against its config
        config, facts, size = loaded.config, loaded.facts, loaded.path.stat().st_size
    known = facts.get("bytes_per_patch")  # a file may contain any value
    if isinstance(known, (int, float)) and not isinstance(known, bool) and 0 < known < config.max_seq_len:
        whole = cost(config, bytes_per_patch=known)
    else:
        whole = cost(config)
    if as_json:
        about = {"model": str(model), "file_bytes": size, "max_seq_len": config.max_seq_len, "facts": facts}
        print_json_line(about | whole.to_dict())
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("part")
    for heading in ("parameters", "FLOPs per byte", "cache bytes"):
        table.add_column(heading, justify="right")
    for depth, part in _walk(whole):
        table.add_row("  " * depth + part.name, *(f"{round(x):,}" if x else "" for x in (part.num_parameters, part.flops_per_byte, part.cache_bytes)))
    console = Console(soft_wrap=True)
    console.print(table)
    console.print(f"\nContext {config.max_seq_len:,} bytes." + (f" File {size:,} bytes." if size else ""))
    for key, value in facts.items():
        if value is not None:
            console.print(showable(f"{key}: {value}"), markup=False, highlight=False)
    if lexicon := tensor_specs(config).get("lexicon.lengths"):
        console.print(f"The file stores up to {lexicon.size:,} of the most common words of its training text in plain text.", highlight=False)
    console.print("\n" + differs_from_paper(config), markup=False, highlight=False)


def _walk(part, depth=0):
    yield depth, part
    for inner in part.parts:
        yield from _walk(inner, depth + 1)
