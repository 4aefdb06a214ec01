"""An open file -> its documents: text, JSON, CSV, parquet, raw bytes.

Each reader yields the documents of one file in order, and in the place of a bad one a TavuError that tells why: whether to stop
there or to go on is the caller's choice. A reader raises TavuError where nothing after that point can be read.
A document of text is cleaned the same way whatever it came from: CRLF becomes LF, white space around it goes; it may then be empty.
"""

import codecs
import csv
import io
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from tavu.data.streams import CHUNK_BYTES, not_utf8
from tavu.errors import TavuError

SEPARATOR = b"<|endoftext|>"
TEXT_FIELDS = ("text", "story")
MAX_DOCUMENT_BYTES = 1 << 24
"""A longer document of a text or raw file becomes several, so that memory is bounded: cut after the last newline before, else between characters."""
MAX_ROW_BYTES = 1 << 26

Reading = Iterator[bytes | TavuError]


def text_documents(stream: io.BufferedReader, name: str, *, offset: int = 0, max_document_bytes: int = MAX_DOCUMENT_BYTES) -> Reading:
    """What stands between `<|endoftext|>`s. `offset`: where in the file the stream is."""
    for start, piece in split_stream(stream, SEPARATOR, max_document_bytes):
        try:
            if not piece.isascii():
                piece.decode()
        except UnicodeDecodeError as fault:
            yield not_utf8(name, piece, fault, offset=offset + start)
        else:
            yield _cleaned(piece)


def split_stream(stream: io.BufferedReader, separator: bytes, max_piece_bytes: int) -> Iterator[tuple[int, bytes]]:
    """(offset, piece) of each piece between separators, however the reads of the stream fall; longer pieces are cut."""
    held = bytearray()
    offset = 0
    while chunk := stream.read1(CHUNK_BYTES):
        unsearched = max(0, len(held) - len(separator) + 1)
        held += chunk
        if held.find(separator, unsearched) >= 0:
            *whole, rest = bytes(held).split(separator)
            for piece in whole:
                yield from _cut(piece, offset, max_piece_bytes)
                offset += len(piece) + len(separator)
            held = bytearray(rest)
        # Only when no separator can begin within the first max_piece_bytes is the piece known to be too long.
        while len(held) >= max_piece_bytes + len(separator):
            end = _place_to_cut(held, max_piece_bytes)
            yield offset, bytes(held[:end])
            offset += end
            del held[:end]
    yield from _cut(bytes(held), offset, max_piece_bytes)


def _cut(piece: bytes, offset: int, max_piece_bytes: int) -> Iterator[tuple[int, bytes]]:
    while len(piece) > max_piece_bytes:
        end = _place_to_cut(piece, max_piece_bytes)
        yield offset, piece[:end]
        offset, piece = offset + end, piece[end:]
    yield offset, piece


def _place_to_cut(text: bytes | bytearray, limit: int) -> int:
    newline = text.rfind(b"\n", 0, limit)
    return newline + 1 if newline >= 0 else character_start(text, limit)


def character_start(text: Sequence[int], at: int) -> int:
    """The nearest place at or before `at` that is not inside a UTF-8 character (RFC 3629: at most 3 bytes back), but never 0.

    >>> character_start("aä".encode(), 2)
    1
    """
    start = at
    while start > max(1, at - 3) and text[start] & 0xC0 == 0x80:
        start -= 1
    return at if text[start] & 0xC0 == 0x80 else start


def _cleaned(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").strip()


def raw_documents(stream: BinaryIO, name: str, record_bytes: int | None) -> Reading:
    """The whole file as it is, or each `record_bytes` of it."""
    size = record_bytes or MAX_DOCUMENT_BYTES
    num_bytes = 0
    while document := stream.read(size):
        num_bytes += len(document)
        if record_bytes and len(document) < record_bytes:
            yield TavuError(
                f"{name} holds {num_bytes:,} bytes, expected a whole number of records of {record_bytes:,}: {len(document):,} are left over. "
                "Change --record-bytes, or pass --skip-bad to drop them."
            )
        else:
            yield document
    if not num_bytes:
        raise TavuError(f"{name} is empty. Give a file with something in it, or pass --skip-bad to go on without it.")


def json_documents(stream: io.BufferedReader, name: str, text_field: str | None) -> Reading:
    """One document per row: a line of JSON each, or one list of rows. A row is an object with a field of text, or the text itself."""
    for where, row in json_rows(stream, name):
        if isinstance(row, TavuError):
            yield row
        elif isinstance(row, str):
            yield _text(row, where)
        elif not isinstance(row, dict):
            yield TavuError(f'{where} is not an object, expected one like {{"text": "Once upon a time"}}. Fix the row, or pass --skip-bad.')
        else:
            text_field = text_field or _first_text_field(row)
            if text_field in row:
                yield _text(row[text_field], f"{where}, field '{text_field}'")
            else:
                yield _no_field(where, text_field, row)


def json_rows(stream: io.BufferedReader, name: str) -> Iterator[tuple[str, object]]:
    """(where, row) of each row of JSON, or a TavuError in its place."""
    is_list = stream.peek(CHUNK_BYTES).lstrip().startswith(b"[")
    return _list_rows(stream, name) if is_list else _line_rows(stream, name)


def _line_rows(stream: io.BufferedReader, name: str) -> Iterator[tuple[str, object]]:
    for number, line in enumerate(_lines(stream, name), 1):
        where = f"{name} row {number:,}"
        if not line.strip():
            continue
        try:
            yield where, json.loads(line.decode())
        except UnicodeDecodeError as fault:
            yield where, _bad_bytes(where, line[fault.start])
        except (ValueError, RecursionError) as fault:
            yield where, TavuError(f"{where} is not JSON ({fault}). Fix the row, or pass --skip-bad to go on without it.")


def _list_rows(stream: io.BufferedReader, name: str) -> Iterator[tuple[str, object]]:
    while stream.read(1) != b"[":
        pass
    decoder = codecs.getincrementaldecoder("utf-8")()
    parser = json.JSONDecoder()
    between_rows = re.compile(r"[\s,]*")
    text, at, number = "", 0, 1
    while True:
        where = f"{name} row {number:,}"
        at = between_rows.match(text, at).end()  # type: ignore[union-attr]  (matches the empty string too)
        if text.startswith("]", at):
            return
        fault = "the list does not end"
        try:
            row, end = parser.raw_decode(text, at)
            if end < len(text):  # else a number may go on in the next chunk
                yield where, row
                number, at = number + 1, end
                continue
        except (ValueError, RecursionError) as error:
            fault = str(error).split(":")[0]  # without the place, which is one in the chunk
        # As much again as a row holds already: a long row is then parsed again only a few times.
        chunk = stream.read(max(CHUNK_BYTES, len(text) - at))
        if not chunk or len(text) - at > MAX_ROW_BYTES:
            raise TavuError(f"{where} is not JSON ({fault}). Fix the file, or pass --skip-bad to use the rows before.")
        try:
            text, at = text[at:] + decoder.decode(chunk), 0
        except UnicodeDecodeError as error:
            raise _bad_bytes(f"{where} or after", error.object[error.start]) from None


def csv_documents(stream: io.BufferedReader, name: str, text_field: str | None, *, tab: bool) -> Reading:
    """One document per row after the header. Without `tab` the fields are divided by commas, or by semicolons where the header is."""
    csv.field_size_limit(MAX_ROW_BYTES)  # of the whole process, and 128 KB unless told: less than a long story
    lines = _lines(stream, name)
    first = next(lines, b"")
    delimiter = "\t" if tab else ";" if first.count(b";") > first.count(b",") else ","
    # Bytes that are not UTF-8 go through as surrogates, so that only their own row is bad.
    decoded = (line.decode(errors="surrogateescape") for line in itertools.chain([first], lines))
    rows = csv.reader(decoded, delimiter=delimiter, strict=True)
    header: list[str] = []
    for number in itertools.count():
        where = f"{name} row {number:,}"
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as fault:
            yield TavuError(f"{where} is not CSV ({fault}). Fix the row, or pass --skip-bad to go on without it.")
            continue
        if number == 0:
            header = row
            text_field = text_field or _first_text_field(header)
            if text_field not in header:
                raise _no_field(f"{name}: the header", text_field, header)
        elif len(row) == len(header):
            yield _text(row[header.index(text_field)], f"{where}, field '{text_field}'")  # type: ignore[arg-type]
        elif row:
            yield TavuError(
                f"{where} has {len(row)} fields, expected {len(header)} as in the header. Fix the row, or pass --skip-bad to go on without it."
            )


def parquet_documents(path: Path, name: str, text_field: str | None) -> Reading:
    """One document per row, a few rows in memory at a time."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise TavuError(f'{name}: parquet files are read by pyarrow, which is not installed. Install it: pip install "tavu[hub]"') from None
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            text_field = text_field or _first_text_field(file.schema_arrow.names)
            if text_field not in file.schema_arrow.names:
                raise _no_field(name, text_field, file.schema_arrow.names)
            for batch in file.iter_batches(batch_size=1024, columns=[text_field]):
                for value in _binary(batch.column(0)):
                    number += 1
                    yield _text(value, f"{name} row {number:,}, field '{text_field}'")
    except (pyarrow.ArrowException, OSError) as fault:
        raise TavuError(
            f"{name} is damaged, or not a parquet file ({fault}). Copy or download it again, or pass --skip-bad to use what can be read."
        ) from None


def _binary(column) -> list[object]:  # pyarrow has no types
    """The values as bytes, where they are text or bytes: pyarrow itself would raise on the first that is not UTF-8."""
    import pyarrow

    if pyarrow.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pyarrow.types.is_string(column.type) or pyarrow.types.is_large_string(column.type):
        column = column.cast(pyarrow.large_binary())
    return column.to_pylist()


def _lines(stream: io.BufferedReader, name: str) -> Iterator[bytes]:
    while line := stream.readline(MAX_ROW_BYTES):
        if len(line) == MAX_ROW_BYTES:
            raise TavuError(f"{name} has a line longer than {MAX_ROW_BYTES:,} bytes, expected one row a line. Is it what its ending says?")
        yield line


def _text(value: object, where: str) -> bytes | TavuError:
    """The document in a field. Surrogates stand for bytes that were no UTF-8 (csv), or are halves of a pair (JSON)."""
    try:
        if isinstance(value, bytes):
            value.decode()
            return _cleaned(value)
        if isinstance(value, str):
            return _cleaned(value.encode())
    except UnicodeDecodeError as fault:
        return _bad_bytes(where, fault.object[fault.start])
    except UnicodeEncodeError as fault:
        code = ord(fault.object[fault.start])
        if 0xDC80 <= code <= 0xDCFF:
            return _bad_bytes(where, code - 0xDC00)
        return TavuError(f"{where}: \\u{code:04x} is half of a surrogate pair, not a character. Fix the row, or pass --skip-bad to go on without it.")
    kind = "null" if value is None else "a list" if isinstance(value, list) else "an object" if isinstance(value, dict) else repr(value)[:40]
    return TavuError(f"{where} is {kind}, expected a string. Fix the row, pass --text-field NAME, or --skip-bad to go on without it.")


def _bad_bytes(where: str, byte: int) -> TavuError:
    return TavuError(f"{where}: byte 0x{byte:02x} is not UTF-8. Convert the file to UTF-8, or pass --skip-bad to go on without such rows.")


def _first_text_field(fields: Iterable[str]) -> str | None:
    return next((field for field in TEXT_FIELDS if field in fields), None)


def _no_field(where: str, text_field: str | None, fields: Iterable[str]) -> TavuError:
    expected = f"'{text_field}'" if text_field else " or ".join(f"'{field}'" for field in TEXT_FIELDS)
    names = [f"'{field[:40]}'" for field in fields]
    found = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return TavuError(f"{where} has no field {expected}; it has {found or 'none'}. Pass --text-field NAME, or --skip-bad to go on without it.")
