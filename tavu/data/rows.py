"""JSON, CSV and parquet files -> rows. Each row is a pair (place, value); the value of a bad row is a TavuError.

A reader raises TavuError if the rest of the file cannot be read. fields.py and records.py turn rows into documents.
"""

import codecs
import csv
import io
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tavu.data import fields
from tavu.data.streams import CHUNK_BYTES, HONEST_RATIO, too_much
from tavu.errors import TavuError

MAX_ROW_BYTES = 1 << 26
MAX_ROW_LINES = 1_000_000
"""A CSV row with more lines has a quotation mark that was never closed."""
_DELIMITERS = ",;\t|"

Rows = Iterator[tuple[str, object]]


@dataclass
class RowCount:
    """The number of rows of a file that were read so far; errors name the row."""

    number: int = 0


def json_rows(stream: io.BufferedReader, name: str, count: RowCount | None = None) -> Rows:
    """JSON Lines, or JSON values across lines: the items of lists, and values outside of lists. Rows of JSON Lines are added to `count`."""
    return line_rows(stream, name, count or RowCount()) if is_one_row_per_line(stream) else _values(stream, name)


def is_one_row_per_line(stream: io.BufferedReader) -> bool:
    """Whether JSON, by how it begins, has one row per line."""
    begin = stream.peek(CHUNK_BYTES).lstrip()
    return not begin.startswith(b"[") and begin.partition(b"\n")[0].strip() != b"{"


def line_rows(stream: io.BufferedReader, name: str, count: RowCount) -> Rows:
    """The rows of JSON Lines, numbered on from `count`."""
    for line in _lines(stream, name):
        count.number += 1
        where = f"{name} row {count.number:,}"
        if not line.strip():
            continue
        try:
            yield where, json.loads(line.decode())
        except UnicodeDecodeError as fault:
            yield where, fields.bad_bytes(where, line[fault.start])
        except (ValueError, RecursionError) as fault:
            yield where, TavuError(f"{where} is not JSON ({fault}). Fix the row, or pass --skip-bad to skip it.")


def _values(stream: io.BufferedReader, name: str) -> Rows:
    decoder = codecs.getincrementaldecoder("utf-8")()
    parser = json.JSONDecoder()
    between = {False: re.compile(r"\s*"), True: re.compile(r"[\s,]*")}
    text, at, number, in_list, is_last = "", 0, 1, False, False
    while True:
        at = between[in_list].match(text, at).end()  # type: ignore[union-attr]  (matches the empty string too)
        where = f"{name} row {number:,}"
        if at < len(text) and text[at] == ("]" if in_list else "["):
            in_list, at = not in_list, at + 1
            continue
        fault = "the list does not end"
        try:
            row, end = parser.raw_decode(text, at)
            if end < len(text) or is_last:  # otherwise a number may continue in the next chunk
                yield where, row
                number, at = number + 1, end
                continue
        except (ValueError, RecursionError) as error:
            fault = str(error).split(":")[0]  # without the position, which is relative to the chunk
        if is_last and at == len(text) and not in_list:
            return
        if is_last or len(text) - at > MAX_ROW_BYTES:
            raise TavuError(f"{where} is not JSON ({fault}). Fix the file, or pass --skip-bad to use the rows before.")
        # Double the buffer, so that a long row is parsed again only a few times.
        chunk = stream.read(max(CHUNK_BYTES, len(text) - at))
        is_last = not chunk
        try:
            text, at = text[at:] + decoder.decode(chunk), 0
        except UnicodeDecodeError as error:
            raise fields.bad_bytes(f"{where} or after", error.object[error.start]) from None


def csv_rows(stream: io.BufferedReader, name: str, wanted: fields.Wanted, *, tab: bool = False) -> Rows:
    """One dict per row after the header. Without a header, columns are named 1, 2, 3 if such numbers are wanted.

    The delimiter is the most frequent of comma, semicolon, tab and bar in the first line; with `tab`, a tab if there is any; or given by `sep=;`.
    """
    csv.field_size_limit(MAX_ROW_BYTES)  # process-wide; the default of 128 KB is less than a long story
    lines = _lines(stream, name)
    first = next(lines, b"")
    if (separator := re.fullmatch(rb"\s*sep=(.)\s*", first, re.IGNORECASE)) is not None:
        delimiter, first = separator[1].decode("latin-1"), next(lines, b"")
    else:
        outside_quotes = re.sub(rb'"[^"]*"', b"", first).decode("latin-1")
        delimiter = "\t" if tab and "\t" in outside_quotes else max(_DELIMITERS, key=outside_quotes.count)
    last_line = MAX_ROW_LINES

    def decoded() -> Iterator[str]:
        """The lines as text, up to the row's line limit. Invalid UTF-8 becomes surrogates, so that only its own row is bad."""
        for number, line in enumerate(itertools.chain([first], lines), 1):
            if number > last_line:
                raise TavuError(
                    f"{name} has a row of more than {MAX_ROW_LINES:,} lines: a quotation mark was never closed. Close it, "
                    "or pass --skip-bad to use the rows before."
                )
            yield line.decode(errors="surrogateescape")

    rows = csv.reader(decoded(), delimiter=delimiter, strict=True)

    def parsed() -> Iterator[list[str] | csv.Error]:
        nonlocal last_line
        while True:
            last_line = rows.line_num + MAX_ROW_LINES
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as fault:
                row = fault
            yield row

    left: Iterator[list[str] | csv.Error] = parsed()
    header: list[str] | None = None
    number = 0
    while (row := next(left, None)) is not None:
        where = f"{name} row {number:,}"
        if isinstance(row, csv.Error):
            yield where, TavuError(f"{where} is not CSV ({row}). Fix the row, or pass --skip-bad to skip it.")
            number += 1
            continue
        if header is None and row:
            following = list(itertools.islice(left, 1)) if wanted.are_numbers else []
            left = itertools.chain(following, left)
            header, is_first_row = fields.header(name, row, next((one for one in following if isinstance(one, list)), []), wanted)
            if is_first_row:
                row = []
            else:
                number, where = 1, f"{name} row 1"
        if header and len(row) == len(header):
            yield where, dict(zip(header, row, strict=True))
        elif row:
            has = f"{where} has {len(row)} {'field' if len(row) == 1 else 'fields'}, expected {len(header or ())} as in the first row"
            yield where, TavuError(f"{has}. Fix the row, or pass --skip-bad to skip it.")
        number += 1


def parquet_rows(path: Path, name: str, wanted: fields.Wanted, max_unpacked_bytes: int, first_group: int = 0, end_group: int | None = None) -> Rows:
    """One dict of the wanted columns per row of some row groups, with few rows in memory. Text is str if all columns are wanted, else bytes."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise TavuError(f'{name}: reading parquet files needs pyarrow, which is not installed. Install it: pip install "tavu[hub]"') from None
    try:
        with parquet.ParquetFile(path) as file:
            columns = fields.columns(name, file.schema_arrow.names, wanted)
            kinds = [(column.name, column.type) for column in file.schema_arrow if columns is None or column.name in columns]
            num_bytes = sum(file.metadata.row_group(i).total_byte_size for i in range(file.num_row_groups))
            chosen = range(file.num_row_groups)[first_group:end_group]
            number = sum(file.metadata.row_group(i).num_rows for i in range(chosen.start))
        if num_bytes > max(max_unpacked_bytes, HONEST_RATIO * path.stat().st_size):
            raise too_much(name, max_unpacked_bytes)
        # Keep the dictionary encoding of texts: a text of megabytes may be repeated in a thousand rows.
        texts = [column for column, kind in kinds if kind in (pyarrow.string(), pyarrow.large_string(), pyarrow.binary(), pyarrow.large_binary())]
        with parquet.ParquetFile(path, read_dictionary=texts) as file:
            for batch in file.iter_batches(batch_size=1024, columns=columns, row_groups=list(chosen)) if chosen else ():
                names = batch.schema.names
                for values in zip(*(_plain(column, decode=wanted.all) for column in batch.columns), strict=True):
                    number += 1
                    yield f"{name} row {number:,}", dict(zip(names, values, strict=True))
    except TavuError:
        raise
    except Exception as fault:  # pyarrow does not document what it raises for a damaged file
        raise TavuError(
            f"{name} is damaged, or not a parquet file ({str(fault)[:200]}). Copy or download it again, or pass --skip-bad to use what can be read."
        ) from None


def row_group_bytes(path: Path) -> list[int]:
    """The size of each row group of a parquet file, unpacked; [] if it cannot be read, as when pyarrow is not installed."""
    try:
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            return [file.metadata.row_group(i).total_byte_size for i in range(file.num_row_groups)]
    except Exception:  # pyarrow does not document what it raises; reading the file raises it again, as a sentence
        return []


def _plain(column, *, decode: bool) -> list[object]:  # pyarrow has no types
    """The values as Python objects. Text is bytes, or decoded with surrogates for invalid UTF-8, where pyarrow itself would raise."""
    import pyarrow

    if pyarrow.types.is_dictionary(column.type):
        values = _plain(column.dictionary, decode=decode)
        return [None if index is None else values[index] for index in column.indices.to_pylist()]
    if pyarrow.types.is_string(column.type) or pyarrow.types.is_large_string(column.type):
        column = column.cast(pyarrow.large_binary())
    values = column.to_pylist()
    return [value.decode(errors="surrogateescape") if isinstance(value, bytes) else value for value in values] if decode else values


def _lines(stream: io.BufferedReader, name: str) -> Iterator[bytes]:
    while line := stream.readline(MAX_ROW_BYTES):
        if len(line) == MAX_ROW_BYTES:
            raise TavuError(
                f"{name} has a line longer than {MAX_ROW_BYTES:,} bytes, expected one row per line. If it is plain text, rename it to end in .txt."
            )
        yield line
