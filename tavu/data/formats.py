"""An open file of text or raw bytes -> its documents. rows.py and fields.py read files of rows.

Each reader yields the documents of one file in order, and a TavuError in place of a bad one: the caller decides whether to stop or to skip it.
A reader raises TavuError if the rest of the file cannot be read. Text documents of every format are cleaned the same way (fields.cleaned).
"""

import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from tavu.data.fields import cleaned
from tavu.data.first_bytes import not_utf8
from tavu.data.splitting import Splitter
from tavu.data.streams import CHUNK_BYTES
from tavu.errors import TavuError

SEPARATOR = b"<|endoftext|>"
MAX_DOCUMENT_BYTES = 1 << 24
"""A longer document of a text or raw file is split to bound memory: after the last newline before the limit, else between characters."""

Reading = Iterator[bytes | TavuError]


def text_documents(
    stream: io.BufferedReader, name: str, splitter: Splitter | None = None, *, offset: int = 0, max_document_bytes: int = MAX_DOCUMENT_BYTES
) -> Reading:
    """The text between `<|endoftext|>`s, further split by a splitter if given. `offset` is the position of the stream in the file."""
    pieces = split_stream(stream, SEPARATOR, max_document_bytes)
    for start, piece, _ in pieces if splitter is None else _split_further(pieces, splitter, max_document_bytes):
        try:
            if not piece.isascii():
                piece.decode()
        except UnicodeDecodeError as fault:
            yield not_utf8(name, piece, fault, offset=offset + start)
        else:
            yield cleaned(piece)


def split_stream(stream: io.BufferedReader, separator: bytes, max_piece_bytes: int) -> Iterator[tuple[int, bytes, bool]]:
    """(offset, piece, is_last) of the text between separators. A text longer than max_piece_bytes gives several pieces; is_last marks the last."""
    held = bytearray()
    offset = 0
    while chunk := stream.read1(CHUNK_BYTES):
        unsearched = max(0, len(held) - len(separator) + 1)
        held += chunk
        if held.find(separator, unsearched) >= 0:
            *whole, rest = bytes(held).split(separator)
            for piece in whole:
                if len(piece) <= max_piece_bytes:  # of millions, nearly all
                    yield offset, piece, True
                else:
                    yield from _cut(piece, offset, max_piece_bytes)
                offset += len(piece) + len(separator)
            held = bytearray(rest)
        # The piece is too long only if no separator can start within its first max_piece_bytes.
        while len(held) >= max_piece_bytes + len(separator):
            end = place_to_cut(held, max_piece_bytes)
            yield offset, bytes(held[:end]), False
            offset += end
            del held[:end]
    yield from _cut(bytes(held), offset, max_piece_bytes)


def _cut(piece: bytes, offset: int, max_piece_bytes: int) -> Iterator[tuple[int, bytes, bool]]:
    while len(piece) > max_piece_bytes:
        end = place_to_cut(piece, max_piece_bytes)
        yield offset, piece[:end], False
        offset, piece = offset + end, piece[end:]
    yield offset, piece, True


def _split_further(pieces: Iterator[tuple[int, bytes, bool]], splitter: Splitter, max_piece_bytes: int) -> Iterator[tuple[int, bytes, bool]]:
    """Pieces, divided by the splitter. The remainder of a piece that was cut is joined with the next piece."""
    rest = b""
    for offset, piece, is_whole in pieces:
        parts = list(splitter.split(rest + piece))
        offset, rest = offset - len(rest), b""
        if not is_whole and len(parts[-1][1]) < max_piece_bytes:
            rest = parts.pop()[1]
        for start, part in parts:
            yield offset + start, part, True


def place_to_cut(text: bytes | bytearray, limit: int) -> int:
    """Where a text that is too long is cut: after the last newline before `limit`, else between two characters."""
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


def raw_documents(stream: BinaryIO, name: str, record_bytes: int | None, *, offset: int = 0) -> Reading:
    """The whole file unchanged, or each `record_bytes` of it. `offset` is the position of the stream in the file."""
    size = record_bytes or MAX_DOCUMENT_BYTES
    num_bytes = offset
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
        raise TavuError(f"{name} is empty. Give a file with content, or pass --skip-bad to skip it.")
