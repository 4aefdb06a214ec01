"""tavu instruct-data: records to fine-tune on, out of plain stories."""

from pathlib import Path
from typing import Annotated

import typer

FIELDS = ("words", "sentence", "features")
"""What can be asked for of a story that nobody wrote a request for."""


def instruct_data(
    source: Annotated[list[str], typer.Argument(help="Plain stories: files, folders, globs, as for `tavu train`.")],
    out: Annotated[Path, typer.Option(help="The file to write, .jsonl.")],
    variants: Annotated[int, typer.Option(help="So many records of each story, each asking for other words and another sentence.")] = 1,
    text_field: Annotated[str | None, typer.Option(help="The field of .jsonl, .csv and .parquet rows that holds the story.")] = None,
    split: Annotated[
        str | None, typer.Option(metavar="lines|blank|REGEX", help="Text is many stories: its lines, or what blank lines or matches divide.")
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Skip and count what cannot be read.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on the last line.")] = False,
) -> None:
    """Make records out of plain stories: words of each story that are worth asking for, a sentence of it, and whether somebody speaks.

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
            raise TavuError(f"{out} is part of {name}, which it would be made of. Choose an --out elsewhere, or name the stories without it.")
    report, num_records, told = SourceReport(), 0, Counter(dict.fromkeys(FIELDS, 0))

    def stories(report: SourceReport) -> Iterator[str]:
        """All of them, read anew: they need not fit in memory."""
        for name in source:
            for document in read_documents(name, options, report):
                yield document.decode()

    def rows() -> Iterator[bytes]:
        nonlocal num_records
        for story in stories(report):
            for row in (derive(story, counts, has_dialogue(story), variant) for variant in range(variants)):
                if asked := row.keys() & set(FIELDS):
                    num_records += 1
                    told.update(list(asked))
                    yield json.dumps(row, ensure_ascii=False).encode() + b"\n"

    counts = count_words(stories(SourceReport()))
    made = rows()
    first = next(made, None)
    if first is None:
        lacking = "no word that a few stories share, no sentence of fit length, nobody who speaks"
        raise TavuError(f"{' '.join(source)} holds nothing that could be asked for: {lacking}. Give more stories, or longer ones.")
    replace_file_by(out, chain([first], made))
    if as_json:
        print_json_line({"out": str(out), "records": num_records, "stories": counts.num_stories, "skipped": report.skipped, **told})
        return
    asked_for = ", ".join(f"{count:,} {name}" for name, count in told.items())
    print(f"{out}: {num_records:,} records of {counts.num_stories:,} stories, derived by rule: {asked_for}.")
    if num_empty := counts.num_stories - num_records // variants:
        print(f"{num_empty:,} stories had nothing that could be asked for.")
    for line in report.lines():
        print(line)
    print(f"Next: tavu finetune MODEL {shlex.quote(str(out))}, or, from scratch, tavu train {shlex.quote(str(out))} --records")
