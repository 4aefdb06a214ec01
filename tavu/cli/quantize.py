"""tavu quantize: store the weights of a model in 8 or 4 bits."""

from pathlib import Path
from typing import Annotated

import typer


def quantize(
    model: Annotated[Path, typer.Argument(help="A model file or run folder.")],
    bits: Annotated[int, typer.Option(help="Bits per weight: 8 (almost no loss) or 4.")] = 8,
    out: Annotated[Path | None, typer.Option(help="The file to write.", show_default="model-8bit.safetensors next to the model")] = None,
    valid: Annotated[list[str] | None, typer.Option(help="Text to measure the loss of quality on: files, folders, globs.")] = None,
    text_field: Annotated[str | None, typer.Option(help="The field of .jsonl, .csv and .parquet rows that holds the text.")] = None,
    note: Annotated[str | None, typer.Option(help="A note to store in the file, e.g. its license; `tavu info` shows it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on the last line.")] = False,
) -> None:
    """Make a model file smaller. The result works like any other model file.

    Example: tavu quantize runs/stories --bits 8 --valid valid.txt
    """
    from dataclasses import asdict

    from tavu.cli.json_line import print_json_line
    from tavu.compression.quantize import quantize_file
    from tavu.config import DataConfig
    from tavu.data.sources import SourceReport, read_documents
    from tavu.errors import TavuError
    from tavu.files import check_writable
    from tavu.hub import is_hub_name
    from tavu.language_model import load
    from tavu.stored_model import SHIPPED, find_model, open_model

    file = find_model(model)
    stored = open_model(file)
    if is_hub_name(model):
        default = Path(f"{stored.name.rpartition('/')[2]}-{bits}bit.safetensors")  # not in the cache of the hub's library
    else:
        beside = Path() if file.parent == SHIPPED else file.parent  # do not write into the installed package
        default = beside / f"{file.stem}-{bits}bit.safetensors"
    out = out or default
    if stored.facts.get("weight_bits") == bits:
        raise TavuError(f"{file} has {bits} bits per weight already. Give another number, such as --bits 4, or use it unchanged.")
    check_writable(out, ".safetensors")
    documents, report = list[bytes](), SourceReport()
    if valid:
        loaded = load(model)
        options = DataConfig(text_field=text_field, as_bytes=not loaded.is_text, record_bytes=loaded.record_bytes, skip_bad=True)
        documents = [document for name in valid for document in read_documents(name, options, report)]
    done = quantize_file(file, out, bits, documents, note=note)
    if as_json:
        print_json_line(asdict(done) | {"out": str(out)})
        return
    print(f"{out}: {done.file_bytes:,} bytes, {done.file_bytes / done.file_bytes_before:.0%} of {done.file_bytes_before:,}.")
    if done.before and done.after:
        more = done.after.bits_per_byte / done.before.bits_per_byte - 1
        print(f"Bits per byte: {done.after.bits_per_byte:.4f} instead of {done.before.bits_per_byte:.4f} ({more:+.2%}).")
        for line in report.lines():
            print(line)
    else:
        print("The loss of quality was not measured: give a text with --valid.")
