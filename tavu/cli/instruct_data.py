"""tavu instruct-data: records to fine-tune on, out of plain stories."""

from pathlib import Path
from typing import Annotated

import typer


def instruct_data(
    source: Annotated[list[str], typer.Argument(help="Plain stories: files, folders, globs, as for `tavu train`.")],
    out: Annotated[Path, typer.Option(help="The file to write, .jsonl.")],
    text_field: Annotated[str | None, typer.Option(help="The field of .jsonl, .csv and .parquet rows that holds the story.")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Skip and count what cannot be read.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on the last line.")] = False,
) -> None:
    """Make records out of plain stories: words of each story that are worth asking for, a sentence of it, and whether somebody speaks.

    Example: tavu instruct-data stories.txt --out instruct.jsonl
    """
    import json

    from tavu.cli.json_line import print_json_line
    from tavu.data.derive import count_words, derive
    from tavu.data.sources import SourceOptions, SourceReport, read_documents
    from tavu.errors import TavuError
    from tavu.evaluation.obedience import has_dialogue
    from tavu.files import make_folder, replace_file

    if out.is_dir():
        raise TavuError(f"{out} is a folder, expected the name of a new file, as {out / 'instruct.jsonl'}.")
    report = SourceReport()
    stories = [document.decode() for name in source for document in read_documents(name, SourceOptions(text_field, skip_bad=skip_bad), report)]
    counts = count_words(stories)
    rows = [derive(story, counts, has_dialogue(story)) for story in stories]
    records = [row for row in rows if row.keys() & {"words", "sentence", "features"}]
    make_folder(out.parent)
    replace_file(out, *(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in records))
    told = {field: sum(field in row for row in records) for field in ("words", "sentence", "features")}
    if as_json:
        print_json_line({"out": str(out), "records": len(records), "stories": len(stories), "skipped": report.skipped, **told})
        return
    asked = ", ".join(f"{count:,} {name}" for name, count in told.items())
    print(f"{out}: {len(records):,} records of {len(stories):,} stories, derived by rule: {asked}.")
    if len(records) < len(stories):
        print(f"{len(stories) - len(records):,} stories had nothing that could be asked for.")
    if report.skipped:
        print(f"Skipped {report.skipped:,}, as: {report.reasons[0]}")
    print(f"Next: tavu finetune MODEL {out}")
