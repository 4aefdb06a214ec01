"""A source -> its documents. A source is a file, a folder, a glob or a known name.

Known names take precedence: `tales` is the built-in corpus, `./tales` the file. folders.py lists the files of folders and globs; formats.py, rows.py
and records.py read them; corpus.py drops duplicates.
"""

import difflib
import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from tavu.config import DataConfig
from tavu.data import fields, formats, hub, records, rows
from tavu.data.first_bytes import marked_up, markup, start_of_text
from tavu.data.folders import files_below, files_matching
from tavu.data.splitting import Splitter
from tavu.data.streams import HONEST_RATIO, SNIFF_BYTES, endings, open_stream, too_much, with_line_feeds
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
NUM_TALES, MAX_TALES = 40_000, 100_000_000
TALES_SEED = 0
PLOTS_PER_MINUTE, TALES_PER_PLOT = 2, 1000
"""How many plots of `tales` a model learns per minute of training (records/LOG.md), and how many tales each plot gets, up to NUM_TALES in all."""
_NUM_REASONS = 5
_READ_BYTES = 1 << 16
_SKIP_ADVICE = re.compile(r",? or (?:pass )?--skip-bad[^.]*")
"""The advice in an error that does not apply once --skip-bad was passed."""


@dataclass
class SourceReport:
    """Counts and notes, updated while documents are read."""

    documents: int = 0
    bytes: int = 0
    skipped: int = 0
    reasons: list[str] = field(default_factory=list)
    """Why the first few documents were skipped."""
    file_bytes_read: int = 0
    """For progress: bytes of the files on disk, before decompression."""
    notes: list[str] = field(default_factory=list)
    """What was skipped in folders."""

    markup: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Files with markup: language -> the warning for the first such file, and the number of files."""

    def markup_lines(self) -> list[str]:
        return [warning + (f" ({number - 1:,} more like it.)" if number > 1 else "") for warning, number in self.markup.values()]

    def lines(self) -> list[str]:
        """All notes and warnings, to be printed."""
        return [*self.notes, *self.markup_lines(), *([f"Skipped {self.skipped:,}, for example: {self.reasons[0]}"] if self.skipped else [])]

    def skip(self, reason: str) -> None:
        self.skipped += 1
        if len(self.reasons) < _NUM_REASONS:
            self.reasons.append(reason)


@dataclass(frozen=True)
class Located:
    """A resolved source: files, or a number of tales."""

    files: tuple[Path, ...] = ()
    num_tales: int = 0
    num_plots: int = 0
    """The number of plots of the tales; 0: all."""
    notes: tuple[str, ...] = ()
    """What was skipped in a folder."""


def read_documents(source: str, data: DataConfig, report: SourceReport) -> Iterator[bytes]:
    """The documents of a source, none empty: UTF-8 with LF line ends and no surrounding white space, or raw bytes.

    Raises TavuError for a bad document, unless data.skip_bad, and if there is no document at all.
    """
    num_before = report.documents
    first_reason = ""
    located = locate(source, data)
    report.notes += located.notes
    splitter = Splitter(data.split) if data.split is not None else None
    for document in _read_tales(located, data) if located.num_tales else _read_files(located.files, data, splitter, report):
        if isinstance(document, TavuError):
            if not data.skip_bad:
                raise document from None
            reason = _SKIP_ADVICE.sub("", str(document))
            first_reason = first_reason or reason
            report.skip(reason)
        elif document:
            report.documents += 1
            report.bytes += len(document)
            yield document
    if report.documents == num_before and first_reason:
        raise TavuError(f"{source} has only bad documents, and all were skipped. The first: {first_reason}")
    if report.documents == num_before:
        raise TavuError(f"{source} has no documents, only white space and separators. Give a source with text.")
    if splitter is not None and located.files and not splitter.num_matches:
        others = " or ".join(split for split in ("lines", "blank") if split != data.split)
        raise TavuError(f"--split {data.split!r} matches nothing in {source}. Try {others}, or another expression, or omit it.")


def locate(source: str, data: DataConfig) -> Located:
    """The files of a source, sorted; a file of the hub is downloaded if needed. Raises TavuError if there are none."""
    name, _, part = source.partition(":")
    if name == "tales" or source in hub.HUB_FILES:
        if data.as_bytes:
            raise TavuError(f"{source} is text, but --bytes is for files of raw bytes. Omit --bytes.")
        if data.split is not None and name == "tales":
            raise TavuError(f"{source} is already divided into documents, so --split {data.split!r} does not apply. Omit it.")
        if name != "tales":
            return Located(files=(hub.download(source),))
        return _located_tales(source, part)
    path = expand_user(source)
    try:
        if path.is_file():
            return Located(files=(path,))
        if path.is_dir():
            found = files_below(path, KINDS, as_bytes=data.as_bytes)
        elif path.exists():
            raise TavuError(f"{source} is a pipe or a device, expected a file: it is read twice. Save it to a file first.")
        elif glob.has_magic(source):
            found = files_matching(path, KINDS, as_bytes=data.as_bytes)
        else:
            raise _missing(source, path)
    except OSError as fault:
        raise TavuError(f"{source} cannot be read: {fault.strerror or fault}. Change its permissions, or give another source.") from None
    return Located(files=found.files, notes=found.notes)


def is_text(file: Path) -> bool:
    """Whether a file of this name is plain text, neither rows nor a table."""
    return KINDS.get(endings(file)[0], "text") == "text"


def expand_user(path: str) -> Path:
    """The path with ~ and ~user expanded; unchanged if there is no such user or home: office programs name files ~$name."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def tales_for(minutes: float) -> str:
    """The `tales` source whose number of plots a model can learn in `minutes`.

    >>> tales_for(2), tales_for(60)
    ('tales:4-plots', 'tales')
    """
    from tavu.data.tales import PLOTS

    num_plots = max(1, round(PLOTS_PER_MINUTE * minutes))
    return f"tales:{num_plots}-plots" if num_plots < len(PLOTS) else "tales"


def _located_tales(source: str, part: str) -> Located:
    """The tales of `tales`, `tales:NUMBER` or `tales:NUMBER-plots`."""
    from tavu.data.tales import PLOTS

    if source == "tales":
        return Located(num_tales=NUM_TALES)
    number, most = part.removesuffix("-plots"), len(PLOTS) if part.endswith("-plots") else MAX_TALES
    if not (number.isascii() and number.isdigit() and len(number) <= len(str(most)) and 1 <= int(number) <= most):
        numbers = (
            f"a number of tales from 1 to {MAX_TALES:,} after the colon, as in tales:1000, or of plots from 1 to {len(PLOTS)}, as in tales:4-plots"
        )
        raise TavuError(f"{source[:60]}: expected {numbers}.")
    if most == MAX_TALES:
        return Located(num_tales=int(number))
    minutes = f"{int(number) / PLOTS_PER_MINUTE:g} min"
    note = f"{number} of the {len(PLOTS)} plots of tales, with few names: about what a model learns in {minutes}; tales:{NUM_TALES} has all plots"
    return Located(num_tales=min(NUM_TALES, TALES_PER_PLOT * int(number)), num_plots=int(number), notes=(note,))


def _missing(source: str, path: Path) -> TavuError:
    if not path.parent.is_dir():
        return TavuError(f"{source}: there is no folder {path.parent}. Check the path.")
    names = [name for name in os.listdir(path.parent) if not name.startswith(".")]
    near = [str(path.with_name(name)) for name in difflib.get_close_matches(path.name, names, n=3)]
    known = ["tales", *(name for name in hub.HUB_FILES if ":" not in name)]
    near += difflib.get_close_matches(source, known, n=1)
    advice = f"Did you mean {' or '.join(near)}?" if near else f"Give a file, a folder, a glob, or one of {', '.join(known)}."
    return TavuError(f"{source}: no such file or folder. {advice}")


def _read_tales(located: Located, data: DataConfig) -> Iterator[bytes]:
    from tavu.data.tales import PLOTS, first_plots, tell_many

    for tale in tell_many(TALES_SEED, located.num_tales, first_plots(located.num_plots or len(PLOTS))):
        if data.as_records:
            row = {"story": tale.text, "words": tale.words, "features": tale.features, "summary": tale.summary}
            yield from records.documents_of_row(row)
        else:
            yield tale.text.encode()


def _read_files(files: tuple[Path, ...], data: DataConfig, splitter: Splitter | None, report: SourceReport) -> Iterator[bytes | TavuError]:
    for path in files:
        read_before = report.file_bytes_read
        try:
            with path.open("rb", _READ_BYTES) as raw:
                bytes_left = max(data.max_unpacked_mb * 10**6, HONEST_RATIO * path.stat().st_size)
                for document in _read_file(raw, path, data, splitter, report):
                    report.file_bytes_read = read_before + raw.tell()
                    yield document
                    bytes_left -= len(document) if isinstance(document, bytes) else 0
                    if bytes_left < 0:
                        raise too_much(str(path), data.max_unpacked_mb * 10**6)
            report.file_bytes_read = read_before + path.stat().st_size
        except TavuError as fault:
            yield fault
        except OSError as fault:
            yield TavuError(f"{path} cannot be read: {fault.strerror or fault}. Change its permissions, or pass --skip-bad to skip it.")


def _read_file(raw: BinaryIO, path: Path, data: DataConfig, splitter: Splitter | None, report: SourceReport) -> formats.Reading:
    name = str(path)
    if data.as_bytes:
        return formats.raw_documents(raw, name, data.record_bytes)
    ending, compression = endings(path)
    kind = KINDS.get(ending, "unknown")
    if splitter is not None and not is_text(path):
        raise TavuError(f"{name} has rows, and each row is a document: --split is for plain text. Omit it, or name text files only.")
    wanted = fields.Wanted(data.text_field, all=data.as_records)
    max_unpacked_bytes = data.max_unpacked_mb * 10**6
    if kind == "parquet":
        if compression:
            raise TavuError(f"{name} is a compressed parquet file, expected a plain one: parquet compresses itself. Unpack it first.")
        read = rows.parquet_rows(path, name, wanted, max_unpacked_bytes)
    else:
        stream = open_stream(raw, name, compression, max_unpacked_bytes)
        offset = start_of_text(stream, name, check=kind == "unknown")
        stream = with_line_feeds(stream)
        if is_text(path):
            if language := markup(stream.peek(SNIFF_BYTES)[:SNIFF_BYTES]):
                if language == "JSON" and data.as_records:
                    raise TavuError(marked_up(name, language))
                warning, number = report.markup.get(language, (marked_up(name, language), 0))
                report.markup[language] = warning, number + 1
            texts = formats.text_documents(stream, name, splitter, offset=offset)
            return records.of_text(texts, name) if data.as_records else texts
        read = rows.json_rows(stream, name) if kind == "json" else rows.csv_rows(stream, name, wanted, tab=kind == "tsv")
    return records.of_rows(read) if data.as_records else fields.texts(read, wanted)
