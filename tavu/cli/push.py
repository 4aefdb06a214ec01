"""tavu push: a model as a repository on the Hugging Face hub."""

from pathlib import Path
from typing import Annotated

import typer


def push(
    model: Annotated[Path, typer.Argument(help="A model file or run folder.")],
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The repository, which is made if there is none.")],
    private: Annotated[bool, typer.Option("--private", help="Let only you, or the members of the organization, see it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on the last line.")] = False,
) -> None:
    """Upload a model to the Hugging Face hub, for tavu and for transformers. Log in first, with `hf auth login`.

    Example: tavu push runs/stories me/stories --private
    """
    from dataclasses import asdict

    from tavu.cli.json_line import print_json_line
    from tavu.export import hub

    pushed = hub.push(model, repository, private=private)
    if as_json:
        print_json_line(asdict(pushed))
        return
    print(f"{pushed.url}: {pushed.num_bytes:,} bytes, revision {pushed.revision}.")
    if pushed.kept_card:
        print("The model card that was there was kept.")
    print(f'Try it: tavu generate hf:{repository} "Once upon a time"')
