"""A source -> its documents. A source is a file, a folder, a glob or a known name; DESIGN.md, section 4, lists them.

Known names win: `tales` is the built-in corpus, `./tales` the file. A folder means the files below it whose endings are known,
sorted, without hidden ones. How a file of each kind is read is left to formats; dropping duplicates is left to corpus.
"""

import difflib
import glob
import itertools
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from tavu.data import formats, hub, records
from tavu.data.streams import endings, open_stream, start_of_text
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
NUM_TALES = 40_000
TALES_SEED = 0
_NUM_REASONS = 5
_TO_UNPACK = (".zip", ".tar", ".tgz", ".bz2", ".7z", ".rar")
_TO_CONVERT = (".pdf", ".doc", ".docx", ".odt", ".epub", ".rtf")


@dataclass(frozen=True)
class SourceOptions:
    """How sources are read: the same for all files of a corpus."""

    text_field: str | None = None
    """The field of .jsonl, .csv, .tsv and .parquet that holds the document; None: `text`, else `story`."""
    as_bytes: bool = False
    """Each file is one document of raw bytes, whatever its ending."""
    record_bytes: int | None = None
    """With as_bytes: each so many bytes of a file are one document."""
    skip_bad: bool = False
    """Bad documents are skipped and counted, where they would be a mistake otherwise."""
    as_records: bool = False
    """Each document is a record: a prompt, a mark, and the completion to learn from (records.py)."""

    def __post_init__(self) -> None:
        if self.record_bytes is not None and not self.as_bytes:
            raise TavuError(f"--record-bytes is {self.record_bytes} without --bytes, which it belongs to. Pass --bytes too.")
        if self.record_bytes is not None and self.record_bytes < 1:
            raise TavuError(f"--record-bytes is {self.record_bytes}, expected at least 1: the bytes of one document, such as 784 for 28 x 28 images.")
        if self.text_field is not None and self.as_bytes:
            raise TavuError(f"--text-field {self.text_field} and --bytes exclude each other: raw bytes have no fields. Pass one of them.")
        if self.as_records and (self.as_bytes or self.text_field is not None):
            raise TavuError("Records have fields of their own: --bytes and --text-field are not for them. Leave them out.")


@dataclass
class SourceReport:
    """A tally that grows while documents are read."""

    documents: int = 0
    bytes: int = 0
    skipped: int = 0
    reasons: list[str] = field(default_factory=list)
    """Why the first few were skipped."""
    file_bytes_read: int = 0
    """For progress: of the files as they lie on disk."""

    def skip(self, reason: str) -> None:
        self.skipped += 1
        if len(self.reasons) < _NUM_REASONS:
            self.reasons.append(reason)


@dataclass(frozen=True)
class Located:
    """What a source stands for: files, or else a number of tales."""

    files: tuple[Path, ...] = ()
    num_tales: int = 0


def read_documents(source: str, options: SourceOptions, report: SourceReport) -> Iterator[bytes]:
    """Each document of a source, never empty: UTF-8 with LF line ends and no white space around it, or raw bytes.

    Raises TavuError for a bad document, unless they are skipped, and when there is no document at all.
    """
    num_before = report.documents
    first_fault: TavuError | None = None
    located = locate(source, options)
    for document in _read_tales(located.num_tales, options) if located.num_tales else _read_files(located.files, options, report):
        if isinstance(document, TavuError):
            if not options.skip_bad:
                raise document from None
            first_fault = first_fault or document
            report.skip(str(document))
        elif document:
            report.documents += 1
            report.bytes += len(document)
            yield document
    if report.documents == num_before and first_fault:
        raise TavuError(f"{source} holds no documents but bad ones, and all were skipped. The first: {first_fault}")
    if report.documents == num_before:
        raise TavuError(f"{source} holds no documents, nothing but white space and separators. Give a source with text.")


def locate(source: str, options: SourceOptions) -> Located:
    """The files of a source, sorted; a file of the hub is downloaded if need be. Raises TavuError when there are none."""
    name, _, part = source.partition(":")
    if name == "tales" or source in hub.HUB_FILES:
        if options.as_bytes:
            raise TavuError(f"{source} is text, and --bytes is for files of raw bytes. Leave --bytes out.")
        if name != "tales":
            return Located(files=(hub.download(source),))
        return Located(num_tales=_num_tales(source, part))
    path = Path(source).expanduser()
    try:
        if path.is_file():
            return Located(files=(path,))
        if path.is_dir():
            return Located(files=_files_below(path, options))
        if path.exists():
            raise TavuError(f"{source} is a pipe or a device, expected a file: it is read twice. Save it to a file first.")
        if glob.has_magic(source):
            return Located(files=_files_matching(path, options))
        raise _missing(source, path)
    except OSError as fault:
        raise TavuError(f"{source} cannot be read: {fault.strerror or fault}. Change its permissions, or give another source.") from None


def _num_tales(source: str, part: str) -> int:
    if source == "tales":
        return NUM_TALES
    if not part.isascii() or not part.isdigit() or int(part) < 1:
        raise TavuError(f"{source}: expected a number of tales after the colon, as in tales:1000.")
    return int(part)


def _files_below(folder: Path, options: SourceOptions) -> tuple[Path, ...]:
    found: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in names if not name.startswith(".")]
    wanted = [path for path in found if path.is_file() and (options.as_bytes or endings(path)[0] in KINDS)]
    if wanted:
        return tuple(sorted(wanted))
    if not found:
        raise TavuError(f"{folder} is a folder without files. Give one with text files in it.")
    counts = Counter(path.suffix.lower() or "no ending" for path in found).most_common(5)
    kinds = ", ".join(f"{count} {ending}" for ending, count in counts)
    raise TavuError(
        f"{folder} is a folder without text: {kinds}. Expected {', '.join(KINDS)} (also .gz, .xz, .zst). "
        f"Name the files themselves if they are text, as in '{folder}/*', or pass --bytes to train on raw bytes."
    )


def _raise(fault: OSError) -> None:
    raise fault


def _files_matching(pattern: Path, options: SourceOptions) -> tuple[Path, ...]:
    matches = [Path(match) for match in glob.glob(str(pattern), recursive=True)]
    files = {path for path in matches if path.is_file()}
    if not files:
        folders = [path for path in matches if path.is_dir()]
        if not folders:
            raise TavuError(f"{pattern} matches no file. Check it with: ls {pattern}")
        return tuple(itertools.chain.from_iterable(_files_below(folder, options) for folder in sorted(folders)))
    return tuple(sorted(files))


def _missing(source: str, path: Path) -> TavuError:
    if not path.parent.is_dir():
        return TavuError(f"{source}: there is no folder {path.parent}. Check the path.")
    names = [name for name in os.listdir(path.parent) if not name.startswith(".")]
    near = [str(path.with_name(name)) for name in difflib.get_close_matches(path.name, names, n=3)]
    known = ["tales", *(name for name in hub.HUB_FILES if ":" not in name)]
    near += difflib.get_close_matches(source, known, n=1)
    advice = f"Did you mean {' or '.join(near)}?" if near else f"Give a file, a folder, a glob, or one of {', '.join(known)}."
    return TavuError(f"{source}: no such file or folder. {advice}")


def _read_tales(num_tales: int, options: SourceOptions) -> Iterator[bytes]:
    from tavu.data.tales import tell_many

    for tale in itertools.islice(tell_many(TALES_SEED), num_tales):
        if options.as_records:
            row = {"story": tale.text, "words": tale.words, "features": tale.features, "summary": tale.summary}
            yield from records.documents_of_row(row)
        else:
            yield tale.text.encode()


def _read_files(files: tuple[Path, ...], options: SourceOptions, report: SourceReport) -> Iterator[bytes | TavuError]:
    for path in files:
        read_before = report.file_bytes_read
        try:
            with path.open("rb") as raw:
                for document in _read_file(raw, path, options):
                    report.file_bytes_read = read_before + raw.tell()
                    yield document
            report.file_bytes_read = read_before + path.stat().st_size
        except TavuError as fault:
            yield fault
        except OSError as fault:
            yield TavuError(f"{path} cannot be read: {fault.strerror or fault}. Change its permissions, or pass --skip-bad to go on without it.")


def _read_file(raw: BinaryIO, path: Path, options: SourceOptions) -> formats.Reading:
    name = str(path)
    if options.as_bytes:
        return formats.raw_documents(raw, name, options.record_bytes)
    ending, compression = endings(path)
    if ending in _TO_UNPACK or ending in _TO_CONVERT:
        advice = "Unpack it first" if ending in _TO_UNPACK else "Save it as plain text (.txt, UTF-8) first"
        raise TavuError(f"{name} is a {ending} file, expected text. {advice}, or pass --bytes to train on raw bytes.")
    kind = KINDS.get(ending, "unknown")
    if options.as_records and kind in ("parquet", "csv", "tsv"):
        raise TavuError(f"{name} is a table, expected records: .jsonl, or text like that of TinyStories-Instruct. Convert it first.")
    if kind == "parquet":
        if compression:
            raise TavuError(f"{name} is a compressed parquet file, expected a plain one: parquet compresses itself. Unpack it first.")
        return formats.parquet_documents(path, name, options.text_field)
    stream = open_stream(raw, name, compression)
    offset = start_of_text(stream, name, check=kind == "unknown")
    if options.as_records:
        return records.of_rows(formats.json_rows(stream, name)) if kind == "json" else records.of_text(formats.text_documents(stream, name), name)
    if kind == "json":
        return formats.json_documents(stream, name, options.text_field)
    if kind in ("csv", "tsv"):
        return formats.csv_documents(stream, name, options.text_field, tab=kind == "tsv")
    return formats.text_documents(stream, name, offset=offset)
