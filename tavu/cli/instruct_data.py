"""tavu instruct-data: plain stories -> records for fine-tuning."""

from pathlib import Path
from typing import Annotated

import typer

FIELDS = ("words", "sentence", "features")
"""The request fields that can be derived from a story."""


def instruct_data(
    source: Annotated[list[str], typer.Argument(help="Plain stories: files, folders, globs, as for `tavu train`.")],
    out: Annotated[Path, typer.Option(help="The .jsonl file to write.")],
    variants: Annotated[int, typer.Option(help="Records per story, each with different words and a different sentence.")] = 1,
    text_field: Annotated[str | None, typer.Option(help="The field of .jsonl, .csv and .parquet rows that holds the story.")] = None,
    split: Annotated[
        str | None, typer.Option(metavar="lines|blank|REGEX", help="Split text into stories at newlines, blank lines, or matches of REGEX.")
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Skip documents that cannot be read, and report how many.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on the last line.")] = False,
) -> None:
    """Make records for `tavu finetune` from plain stories.

    Each record asks for some words and one sentence of its story, and for dialogue if there is any.

    Example: tavu instruct-data stories.txt --out instruct.jsonl
    """
    import json
    import shlex
    from collections import Counter
    from collections.abc import Iterator
    from itertools import chain

    from tavu.cli.json_line import print_json_line
    from tavu.config import DataConfig
    from tavu.data.derive import count_words, derive
    from tavu.data.sources import SourceReport, locate, read_documents
    from tavu.errors import TavuError
    from tavu.evaluation.obedience import has_dialogue
    from tavu.files import check_writable, replace_file_by

    check_writable(out, ".jsonl")
    if variants < 1:
        raise TavuError(f"--variants is {variants}, expected 1 or more records of each story. Try 3.")
    options = DataConfig(text_field=text_field, skip_bad=skip_bad, split=split)
    for name in source:
        if out.resolve() in (file.resolve() for file in locate(name, options).files):
            raise TavuError(f"{out} is part of the source {name}. Choose an --out elsewhere, or name the stories without it.")
    report, num_records, field_counts = SourceReport(), 0, Counter[str](dict.fromkeys(FIELDS, 0))

    def stories(report: SourceReport) -> Iterator[str]:
        """All stories, read from disk each time: they need not fit in memory."""
        for name in source:
            for document in read_documents(name, options, report):
                yield document.decode()

    def rows() -> Iterator[bytes]:
        nonlocal num_records
        for story in stories(report):
            for row in (derive(story, counts, has_dialogue(story), variant) for variant in range(variants)):
                if requested := row.keys() & set(FIELDS):
                    num_records += 1
                    field_counts.update(list(requested))
                    yield json.dumps(row, ensure_ascii=False).encode() + b"\n"

    counts = count_words(stories(SourceReport()))
    lines = rows()
    first = next(lines, None)
    if first is None:
        lacking = "no words shared by a few stories, no sentences of suitable length, no dialogue"
        raise TavuError(f"{' '.join(source)} has nothing to request: {lacking}. Give more stories, or longer ones.")
    replace_file_by(out, chain([first], lines))
    if as_json:
        print_json_line({"out": str(out), "records": num_records, "stories": counts.num_stories, "skipped": report.skipped, **field_counts})
        return
    summary = ", ".join(f"{count:,} {name}" for name, count in field_counts.items())
    print(f"{out}: {num_records:,} records of {counts.num_stories:,} stories, derived by rule: {summary}.")
    if num_empty := counts.num_stories - num_records // variants:
        print(f"{num_empty:,} stories had nothing to request.")
    for line in report.lines():
        print(line)
    print(f"Next: tavu finetune MODEL {shlex.quote(str(out))}, or train from scratch with tavu train {shlex.quote(str(out))} --records")
