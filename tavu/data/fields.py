"""Rows -> documents: the text of one or several fields of each row.

By default the field is `text`, else `story`. With several names, separated by commas, the texts are joined by an empty line.
The columns of a table without a header are named by their numbers, starting at 1.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tavu.errors import TavuError

TEXT_FIELDS = ("text", "story")
_RECORD_FIELDS = (("messages",), ("conversations",), ("prompt", "completion"), ("instruction", "output"), ("instruction", "response"))
_MAX_NAMES = 12


@dataclass(frozen=True)
class Wanted:
    """Which fields of each row are read: the named ones, else the first of TEXT_FIELDS; for records, all."""

    names: str | None = None
    all: bool = False

    @property
    def are_numbers(self) -> bool:
        return self.names is not None and re.fullmatch(r"\d+(,\d+)*", self.names) is not None

    def among(self, present: Iterable[str]) -> list[str] | None:
        """The fields to join, or None if one is missing."""
        present = list(present)
        if self.names is None:
            return next(([field] for field in TEXT_FIELDS if field in present), None)
        names = [self.names] if self.names in present else [name.strip() for name in self.names.split(",")]
        return names if all(name in present for name in names) else None


def texts(rows: Iterator[tuple[str, object]], wanted: Wanted, known_names: Sequence[str] | None = None) -> Iterator[bytes | TavuError]:
    """The document of each row (an object, or the text itself); a TavuError in place of a bad row.

    The first row that has them determines which of the wanted fields are read, unless they are known from earlier rows.
    """
    names = list(known_names) if known_names else None
    for where, row in rows:
        if isinstance(row, TavuError):
            yield row
        elif isinstance(row, str):
            yield text_of(row, where)
        elif not isinstance(row, Mapping):
            yield TavuError(f'{where} is not an object, expected one like {{"text": "Once upon a time"}}. Fix the row, or pass --skip-bad.')
        else:
            names = names or wanted.among(row)
            if names is None or any(name not in row for name in names):
                yield _no_field(where, Wanted(wanted.names or (names[0] if names else None)), row)
            elif len(names) == 1:
                yield text_of(row[names[0]], f"{where}, field '{names[0]}'")
            else:
                yield _joined(row, names, where)


def _joined(row: Mapping[str, object], names: list[str], where: str) -> bytes | TavuError:
    parts = []
    for name in names:
        if row[name] is None:
            continue
        part = text_of(row[name], f"{where}, field '{name}'")
        if isinstance(part, TavuError):
            return part
        parts.append(part)
    return b"\n\n".join(part for part in parts if part)


def columns(where: str, names: Sequence[str], wanted: Wanted) -> list[str] | None:
    """The columns of a table to read, None for all. Raises TavuError if a wanted column is missing."""
    found = wanted.among(names)
    if not wanted.all and found is None:
        raise _no_field(where, wanted, names)
    return None if wanted.all else found


def header(name: str, row: list[str], following: list[str], wanted: Wanted) -> tuple[list[str], bool]:
    """The column names of a CSV, or its column numbers if numbers are wanted, and whether the first row is a header.

    `row` and `following` are the first two rows.
    """
    names = wanted.among(row)
    if names is not None or wanted.all:
        if twice := next((column for column in names or row if column and row.count(column) > 1), None):
            raise TavuError(f"{name}: the header has the column '{twice[:40]}' twice, expected each name once. Rename one of them.")
        return row, True
    numbers = [str(place) for place in range(1, len(row) + 1)]
    if wanted.are_numbers and wanted.among(numbers) is not None:
        return numbers, _are_names(row) and any(map(_is_prose, following))
    if any(_is_prose(cell) for cell in row):
        longest = max(range(len(row)), key=lambda place: len(row[place]))
        cells = ", ".join(repr(cell[:40]) for cell in row[:_MAX_NAMES])
        raise TavuError(f"{name} has no header: its first row is {cells}. Pass --text-field {longest + 1} to read column {longest + 1}.")
    raise _no_field(f"{name}: the header", wanted, row)


def _are_names(row: list[str]) -> bool:
    """Whether cells may be column names: one or two words each, all different."""
    return len(set(row)) == len(row) and not any(_is_prose(cell) or len(cell.split()) > 2 for cell in row)


def _is_prose(cell: str) -> bool:
    """Whether a cell cannot be a column name: a number, a sentence, or a long text."""
    return cell.count(" ") >= 4 or len(cell) > 60 or re.fullmatch(r".*\w[.!?…]|[-+]?[\d.,]+", cell.strip(), re.DOTALL) is not None


def text_of(value: object, where: str) -> bytes | TavuError:
    """The document in a field. Surrogates are bytes that were not UTF-8 (CSV), or halves of a pair (JSON)."""
    try:
        if isinstance(value, bytes):
            value.decode()
            return cleaned(value)
        if isinstance(value, str):
            return cleaned(value.encode())
    except UnicodeDecodeError as fault:
        return bad_bytes(where, fault.object[fault.start])
    except UnicodeEncodeError as fault:
        code = ord(fault.object[fault.start])
        if 0xDC80 <= code <= 0xDCFF:
            return bad_bytes(where, code - 0xDC00)
        return TavuError(f"{where}: \\u{code:04x} is half of a surrogate pair, not a character. Fix the row, or pass --skip-bad to skip it.")
    kind = "null" if value is None else "a list" if isinstance(value, list) else "an object" if isinstance(value, dict) else repr(value)[:40]
    return TavuError(f"{where} is {kind}, expected a string. Fix the row, pass --text-field NAME, or --skip-bad to skip it.")


def cleaned(text: bytes) -> bytes:
    """The text with CRLF as LF and without surrounding white space; it may then be empty."""
    return text.replace(b"\r\n", b"\n").strip()


def bad_bytes(where: str, byte: int) -> TavuError:
    return TavuError(f"{where}: byte 0x{byte:02x} is not UTF-8. Convert the file to UTF-8, or pass --skip-bad to skip such rows.")


def _no_field(where: str, wanted: Wanted, present: Iterable[str]) -> TavuError:
    present = list(present)
    names = [f"'{name[:40]}'" for name in present]
    found = ", ".join(names[:_MAX_NAMES]) + (", ..." if len(names) > _MAX_NAMES else "")
    for record in _RECORD_FIELDS:
        if wanted.names is None and all(name in present for name in record):
            return TavuError(f"{where} is a record ({found}), not a plain text. `tavu train` and `tavu evaluate` read records with --records.")
    expected = f"'{wanted.names}'" if wanted.names else " or ".join(f"'{field}'" for field in TEXT_FIELDS)
    return TavuError(f"{where} has no field {expected}; it has {found or 'none'}. Pass --text-field NAME, or --skip-bad to skip it.")
