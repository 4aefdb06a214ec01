"""A part of a source -> its documents. A part is a file, a range of a large file, or a range of the tales; ranges.py divides sources into parts.

A range starts where a document or a row does, and reading it needs nothing of the text before it. So the documents of the parts, in order, are those
of the source, whichever process reads each. Only numbers in errors depend on what came before in the file: `rows` and `unpacked_bytes` of the report.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from tavu.config import DataConfig
from tavu.data import fields, formats, records, rows
from tavu.data.first_bytes import marked_up, markup, start_of_text
from tavu.data.splitting import Splitter
from tavu.data.streams import HONEST_RATIO, SNIFF_BYTES, endings, open_stream, too_much, until, with_line_feeds
from tavu.errors import TavuError

KINDS = {
    ".txt": "text",
    ".text": "text",
    ".md": "text",
    ".jsonl": "json",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
TALES_SEED = 0
_NUM_REASONS = 5
READ_BYTES = 1 << 16
_SKIP_ADVICE = re.compile(r",? or (?:pass )?--skip-bad[^.]*")
"""The advice in an error that does not apply once --skip-bad was passed."""


@dataclass(frozen=True)
class Part:
    """What one process reads at a time."""

    path: str = ""
    """The file; "" for tales."""
    begin: int = 0
    end: int | None = None
    """The range in bytes, in row groups of a parquet file, or in tales; None: to the end."""
    num_bytes: int = 0
    """The bytes of the file in this part, for progress."""
    field_names: tuple[str, ...] | None = None
    """For a range of rows: the fields to read, as the first rows of the file determine them."""
    num_plots: int = 0
    """The plots of the tales; 0: all."""


@dataclass
class SourceReport:
    """Counts and notes, updated while documents are read."""

    documents: int = 0
    bytes: int = 0
    skipped: int = 0
    reasons: list[str] = field(default_factory=list)
    """Why the first few documents were skipped."""
    first_reason: str = ""
    """Why the first document of the current source was skipped."""
    file_bytes_read: int = 0
    """For progress: bytes of the files on disk, before decompression."""
    notes: list[str] = field(default_factory=list)
    """What was skipped in folders."""
    markup: dict[str, list] = field(default_factory=dict)
    """Files with markup: language -> [the warning for the first such file, the number of files]."""
    num_matches: int = 0
    """Matches of --split."""
    rows: int = 0
    unpacked_bytes: int = 0
    """Rows and bytes of documents that were read of the current file."""
    is_cut_short: bool = False
    """Whether the rest of the current file could not be read."""

    def markup_lines(self) -> list[str]:
        return [warning + (f" ({number - 1:,} more like it.)" if number > 1 else "") for warning, number in self.markup.values()]

    def lines(self) -> list[str]:
        """All notes and warnings, to be printed."""
        return [*self.notes, *self.markup_lines(), *([f"Skipped {self.skipped:,}, for example: {self.reasons[0]}"] if self.skipped else [])]

    def skip(self, reason: str) -> None:
        self.skipped += 1
        self.first_reason = self.first_reason or reason
        if len(self.reasons) < _NUM_REASONS:
            self.reasons.append(reason)

    def add(self, other: "SourceReport") -> None:
        """Add the counts and notes of what was read next."""
        self.documents += other.documents
        self.bytes += other.bytes
        self.skipped += other.skipped
        self.reasons += other.reasons[: _NUM_REASONS - len(self.reasons)]
        self.first_reason = self.first_reason or other.first_reason
        self.file_bytes_read += other.file_bytes_read
        self.notes += other.notes
        self.num_matches += other.num_matches
        self.rows += other.rows
        self.unpacked_bytes += other.unpacked_bytes
        self.is_cut_short = other.is_cut_short
        for language, (warning, number) in other.markup.items():
            self.add_markup(language, warning, number)

    def add_markup(self, language: str, warning: str, number: int = 1) -> None:
        first, before = self.markup.get(language, (warning, 0))
        self.markup[language] = [first, before + number]


def is_text(file: Path) -> bool:
    """Whether a file of this name is plain text, neither rows nor a table."""
    return KINDS.get(endings(file)[0], "text") == "text"


def max_unpacked_bytes(path: Path, data: DataConfig) -> int:
    """The most bytes of documents that are read of one file."""
    return max(data.max_unpacked_mb * 10**6, HONEST_RATIO * path.stat().st_size)


def read_parts(parts: Sequence[Part], data: DataConfig, report: SourceReport) -> Iterator[bytes]:
    """The documents of parts of one source, none empty. Raises TavuError for a bad document, unless data.skip_bad."""
    splitter = Splitter(data.split) if data.split is not None else None
    matches_before = report.num_matches
    for part in parts:
        for document in _read_file_part(part, data, splitter, report) if part.path else _read_tales(part, data):
            if isinstance(document, TavuError):
                if not data.skip_bad:
                    raise document from None
                report.skip(_SKIP_ADVICE.sub("", str(document)))
            elif document:
                report.documents += 1
                report.bytes += len(document)
                yield document
    if splitter is not None:
        report.num_matches = matches_before + splitter.num_matches


def _read_tales(part: Part, data: DataConfig) -> Iterator[bytes]:
    from tavu.data.tales import PLOTS, first_plots, tell

    plots = first_plots(part.num_plots or len(PLOTS))
    assert part.end is not None
    for index in range(part.begin, part.end):
        tale = tell(TALES_SEED, index, plots)
        if data.as_records:
            row = {"story": tale.text, "words": tale.words, "features": tale.features, "summary": tale.summary}
            yield from records.documents_of_row(row)
        else:
            yield tale.text.encode()


def _read_file_part(part: Part, data: DataConfig, splitter: Splitter | None, report: SourceReport) -> formats.Reading:
    """The documents of a file or a range of it. An error after which the rest cannot be read is the last item."""
    path, read_before = Path(part.path), report.file_bytes_read
    if not part.begin:
        report.rows, report.unpacked_bytes, report.is_cut_short = 0, 0, False
    count = rows.RowCount(report.rows)
    try:
        with path.open("rb", READ_BYTES) as raw:
            most, told_at = max_unpacked_bytes(path, data), 0
            for document in _documents(raw, part, data, splitter, report, count):
                if report.unpacked_bytes >= told_at:  # seldom, since tell() is a call of the system
                    report.file_bytes_read = read_before + max(0, raw.tell() - part.begin)
                    told_at = report.unpacked_bytes + READ_BYTES
                report.rows = count.number
                yield document
                report.unpacked_bytes += len(document) if isinstance(document, bytes) else 0
                if report.unpacked_bytes > most:
                    raise too_much(part.path, data.max_unpacked_mb * 10**6)
        report.file_bytes_read = read_before + (part.num_bytes or path.stat().st_size)
        report.rows = count.number
        return
    except TavuError as fault:
        error = fault
    except OSError as fault:
        error = TavuError(f"{path} cannot be read: {fault.strerror or fault}. Change its permissions, or pass --skip-bad to skip it.")
    report.is_cut_short = True
    yield error


def _documents(raw: BinaryIO, part: Part, data: DataConfig, splitter: Splitter | None, report: SourceReport, count: rows.RowCount) -> formats.Reading:
    path, name, max_bytes = Path(part.path), part.path, data.max_unpacked_mb * 10**6
    ending, compression = endings(path)
    kind = "raw" if data.as_bytes else KINDS.get(ending, "unknown")
    if splitter is not None and not is_text(path):
        raise TavuError(f"{name} has rows, and each row is a document: --split is for plain text. Omit it, or name text files only.")
    wanted = fields.Wanted(data.text_field, all=data.as_records)
    if kind == "parquet":
        if compression:
            raise TavuError(f"{name} is a compressed parquet file, expected a plain one: parquet compresses itself. Unpack it first.")
        read = rows.parquet_rows(path, name, wanted, max_bytes, part.begin, part.end)
        return records.of_rows(read) if data.as_records else fields.texts(read, wanted)
    raw.seek(part.begin)
    limited = raw if part.end is None else until(raw, part.end)
    if kind == "raw":
        return formats.raw_documents(limited, name, data.record_bytes, offset=part.begin)
    stream = open_stream(limited, name, compression, max_bytes)
    offset = part.begin
    if not part.begin:
        offset = start_of_text(stream, name, check=kind == "unknown")
        stream = with_line_feeds(stream)
    if is_text(path):
        if not part.begin and (language := markup(stream.peek(SNIFF_BYTES)[:SNIFF_BYTES])):
            if language == "JSON" and data.as_records:
                raise TavuError(marked_up(name, language))
            report.add_markup(language, marked_up(name, language))
        texts = formats.text_documents(stream, name, splitter, offset=offset)
        return records.of_text(texts, name, count) if data.as_records else texts
    if kind != "json":
        read = rows.csv_rows(stream, name, wanted, tab=kind == "tsv")
    else:
        read = rows.line_rows(stream, name, count) if part.begin or part.end else rows.json_rows(stream, name, count)
    return records.of_rows(read) if data.as_records else fields.texts(read, wanted, part.field_names)
