"""A source -> parts of about equal size, which several processes can read at once (parts.py). The parts do not depend on the number of processes.

Large files are divided where a document or a row starts. In archives, CSV and JSON across lines there is no such place that is known without reading
all before it: they are one part.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import BinaryIO, cast

from tavu.config import DataConfig
from tavu.data import fields, rows
from tavu.data.first_bytes import start_of_text
from tavu.data.formats import MAX_DOCUMENT_BYTES, SEPARATOR, place_to_cut
from tavu.data.parts import KINDS, READ_BYTES, Part
from tavu.data.streams import CHUNK_BYTES, endings, with_line_feeds
from tavu.errors import TavuError

PART_BYTES = 1 << 25
"""Large enough that a part takes much longer to read than to hand out, small enough that all processes end at about the same time."""
PART_TALES = 5000
_MAX_ROWS_WITHOUT_FIELDS = 100
"""If this many rows have none of the wanted fields, the file is read in one part."""


def parts_of_tales(num_tales: int, num_plots: int) -> list[Part]:
    return [Part(begin=at, end=min(at + PART_TALES, num_tales), num_plots=num_plots) for at in range(0, num_tales, PART_TALES)]


def parts_of_file(path: Path, data: DataConfig) -> list[Part]:
    """The parts of a file, in order. A file that cannot be read is one part: reading it raises the error in its turn."""
    try:
        num_bytes = path.stat().st_size
        return _divided(path, num_bytes, data) if num_bytes >= 2 * PART_BYTES else [Part(str(path), num_bytes=num_bytes)]
    except (TavuError, OSError):
        return [Part(str(path))]


def grouped(parts: Sequence[Part]) -> list[tuple[Part, ...]]:
    """Parts of one source, small files together. A range of a file is a group of its own, since the ranges before it may make it void."""
    groups: list[tuple[Part, ...]] = []
    num_bytes = 0
    for part in parts:
        is_whole = part.begin == 0 and part.end is None
        if groups and is_whole and groups[-1][-1].end is None and num_bytes + part.num_bytes <= PART_BYTES:
            groups[-1] += (part,)
            num_bytes += part.num_bytes
        else:
            groups.append((part,))
            num_bytes = part.num_bytes if is_whole else PART_BYTES
    return groups


def _divided(path: Path, num_bytes: int, data: DataConfig) -> list[Part]:
    ending, compression = endings(path)
    kind = "raw" if data.as_bytes else KINDS.get(ending, "unknown")
    places: list[int] = []
    names: tuple[str, ...] | None = None
    if kind == "raw":
        size = data.record_bytes or MAX_DOCUMENT_BYTES
        places = list(range(0, num_bytes, max(1, PART_BYTES // size) * size))[1:]
    elif compression or kind in ("csv", "tsv"):
        pass
    elif kind == "parquet":
        return _row_groups(path, num_bytes)
    else:
        with path.open("rb", READ_BYTES) as opened:
            file = cast(io.BufferedReader, opened)
            offset = start_of_text(file, str(path), check=kind == "unknown")
            if with_line_feeds(file) is not file:
                pass
            elif kind == "json":
                is_divisible = rows.is_one_row_per_line(file)
                if is_divisible and not data.as_records:
                    names = _field_names(file, str(path), data)
                    is_divisible = names is not None
                places = list(_line_starts(file, num_bytes)) if is_divisible else []
            else:
                places = list(_document_starts(file, offset, num_bytes, data.split))
    bounds = [0, *places, num_bytes]
    return [Part(str(path), begin, end if end < num_bytes else None, end - begin, names) for begin, end in pairwise(bounds)]


def _row_groups(path: Path, num_bytes: int) -> list[Part]:
    sizes = rows.row_group_bytes(path)
    places, held = [0], 0
    for group, size in enumerate(sizes):
        if held >= PART_BYTES:
            places.append(group)
            held = 0
        held += size
    total = max(1, sum(sizes))
    bounds = [*places, len(sizes)]
    shares = [max(1, round(num_bytes * sum(sizes[begin:end]) / total)) for begin, end in pairwise(bounds)]
    return [Part(str(path), begin, end if end < len(sizes) else None, share) for (begin, end), share in zip(pairwise(bounds), shares, strict=True)]


def _field_names(file: io.BufferedReader, name: str, data: DataConfig) -> tuple[str, ...] | None:
    """The fields that the first rows determine; None if they do not."""
    wanted = fields.Wanted(data.text_field)
    for _, row in islice(rows.line_rows(file, name, rows.RowCount()), _MAX_ROWS_WITHOUT_FIELDS):
        if isinstance(row, Mapping) and (names := wanted.among(row)):
            return tuple(names)
    return None


def _line_starts(file: BinaryIO, num_bytes: int) -> Iterator[int]:
    at = 0
    while at + PART_BYTES < num_bytes:
        found = _find(file, b"\n", at + PART_BYTES - 1, num_bytes)
        if found < 0 or found + 1 == num_bytes:
            return
        at = found + 1
        yield at


def _document_starts(file: BinaryIO, at: int, num_bytes: int, split: str | None) -> Iterator[int]:
    """Places where a document starts, at least PART_BYTES apart, from `at`, where the first one does.

    That is after a separator, or where a document that is too long is cut, unless a regular expression may match across the cut.
    """
    while at + PART_BYTES < num_bytes:
        target = at + PART_BYTES
        end = target + MAX_DOCUMENT_BYTES + 1
        found = _find(file, SEPARATOR, target, min(end, num_bytes))
        cut = _cut_after(file, at, target, num_bytes) if found < 0 and split in (None, "lines") else None
        if cut is not None and (split is None or _read(file, cut - 1, cut) == b"\n"):
            at = cut
        else:
            found = found if found >= 0 else _find(file, SEPARATOR, end, num_bytes)
            if found < 0:
                return
            at = found + len(SEPARATOR)
        yield at


def _cut_after(file: BinaryIO, at: int, target: int, num_bytes: int) -> int | None:
    """The first place after `target` where the document that holds it is cut, if it is.

    A document starts at `at`, before target, and no separator starts between target and MAX_DOCUMENT_BYTES after it.
    """
    last = _find_last(file, SEPARATOR, at, target)
    at = last + len(SEPARATOR) if last >= 0 else at
    while at <= target:
        if num_bytes - at <= MAX_DOCUMENT_BYTES:
            return None
        at += place_to_cut(_read(file, at, at + MAX_DOCUMENT_BYTES + 1), MAX_DOCUMENT_BYTES)
    return at


def _find(file: BinaryIO, what: bytes, begin: int, end: int) -> int:
    """Where `what` first starts between begin and end; -1 if it does not."""
    while begin < end:
        window = _read(file, begin, min(begin + CHUNK_BYTES, end) + len(what) - 1)
        if (found := window.find(what)) >= 0:
            return begin + found
        if len(window) < len(what):
            return -1
        begin += len(window) - len(what) + 1
    return -1


def _find_last(file: BinaryIO, what: bytes, begin: int, end: int) -> int:
    """Where `what` last starts between begin and end; -1 if it does not."""
    while begin < end:
        start = max(begin, end - CHUNK_BYTES)
        if (found := _read(file, start, end + len(what) - 1).rfind(what)) >= 0:
            return start + found
        end = start
    return -1


def _read(file: BinaryIO, begin: int, end: int) -> bytes:
    file.seek(begin)
    return file.read(end - begin)
