"""A file -> its bytes as a stream, decompressed, and what can be said about them before they are read.

What the bytes mean (documents, rows, fields) is left to formats.
"""

import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

from tavu.errors import TavuError

CHUNK_BYTES = 1 << 20
SNIFF_BYTES = 1 << 16
COMPRESSIONS = (".gz", ".xz", ".zst")
_ZSTD_FEED_BYTES = 1 << 12
"""Little at a time: zstd can blow up a run of equal bytes tens of thousands of times, and all of it comes out at once."""


def endings(path: Path) -> tuple[str, str]:
    """(ending, compression) of a file name, lower case, "" for none.

    >>> endings(Path("Stories.JSONL.gz")), endings(Path("notes.txt"))
    (('.jsonl', '.gz'), ('.txt', ''))
    """
    ending = path.suffix.lower()
    if ending not in COMPRESSIONS:
        return ending, ""
    return Path(path.stem).suffix.lower(), ending


def open_stream(raw: BinaryIO, name: str, compression: str) -> io.BufferedReader:
    """The decompressed bytes of an open file. Reading them raises TavuError where the archive is cut off or damaged."""
    if compression == ".gz":
        archive = _Archive(gzip.GzipFile(fileobj=raw).read1, name, (zlib.error, gzip.BadGzipFile))
    elif compression == ".xz":
        archive = _Archive(lzma.LZMAFile(raw).read1, name, (lzma.LZMAError,))
    elif compression == ".zst":
        import zstandard

        archive = _Archive(_ZstdReader(raw).read1, name, (zstandard.ZstdError,))
    else:
        return cast(io.BufferedReader, raw)
    return io.BufferedReader(archive, CHUNK_BYTES)


class _Archive(io.RawIOBase):
    """A decompressor whose faults are sentences."""

    def __init__(self, read1: Callable[[int], bytes], name: str, faults: tuple[type[Exception], ...]) -> None:
        self._read1 = read1
        self._name = name
        self._faults = faults

    def readable(self) -> bool:
        return True

    def readinto(self, target) -> int:  # the buffer type has no name before Python 3.12
        try:
            data = self._read1(len(target))
        except EOFError:
            raise TavuError(
                f"{self._name} is cut off: the archive ends before its data does. "
                "Copy or download it again, or pass --skip-bad to use what can be read."
            ) from None
        except self._faults as fault:
            raise TavuError(
                f"{self._name} is damaged, or not what its ending says ({fault}). "
                "Copy or download it again, or pass --skip-bad to use what can be read."
            ) from None
        target[: len(data)] = data
        return len(data)


class _ZstdReader:
    """The bytes of a .zst, frame after frame. zstandard's own stream_reader takes a cut-off archive for a whole one."""

    def __init__(self, raw: BinaryIO) -> None:
        import zstandard

        self._new_frame = zstandard.ZstdDecompressor().decompressobj
        self._frame = self._new_frame()
        self._inside_frame = False
        self._raw = raw
        self._unread = b""
        self._ready = memoryview(b"")

    def read1(self, size: int) -> bytes:
        while not self._ready:
            fed = self._unread or self._raw.read(_ZSTD_FEED_BYTES)
            if not fed:
                if self._inside_frame:
                    raise EOFError
                return b""
            self._ready = memoryview(self._frame.decompress(fed))
            self._unread = self._frame.unused_data if self._frame.eof else b""
            self._inside_frame = not self._frame.eof
            if self._frame.eof:
                self._frame = self._new_frame()
        data, self._ready = self._ready[:size], self._ready[size:]
        return bytes(data)


def start_of_text(stream: io.BufferedReader, name: str, *, check: bool) -> int:
    """Bytes skipped at the start (a UTF-8 byte order mark: 3, else 0). With `check`, what does not look like text is refused.

    Raises TavuError for an empty file and for UTF-16.
    """
    head = stream.peek(SNIFF_BYTES)[:SNIFF_BYTES]
    if not head:
        raise TavuError(f"{name} is empty. Give a file with text, or pass --skip-bad to go on without it.")
    if _is_utf16(head):
        raise TavuError(f"{name} is UTF-16, expected UTF-8. Convert it: iconv -f utf-16 -t utf-8 {name} > utf8.txt")
    if check and not _looks_like_text(head):
        raise TavuError(
            f"{name} does not look like UTF-8 text. Give a text file (or .jsonl, .csv, .tsv, .parquet, also .gz, .xz, .zst), "
            "or pass --bytes to train on raw bytes."
        )
    return len(stream.read(len(codecs.BOM_UTF8))) if head.startswith(codecs.BOM_UTF8) else 0


def _looks_like_text(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # a character cut off at the end is no fault
    except UnicodeDecodeError:
        return False
    return 0 not in head


def _is_utf16(head: bytes) -> bool:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    # Without a byte order mark: mostly Latin letters leave a NUL in every second place, and none in the others.
    fewer, more = sorted((head[0::2].count(0), head[1::2].count(0)))
    return fewer == 0 and 5 * more > len(head) > 3


def not_utf8(name: str, data: bytes, fault: UnicodeDecodeError, *, offset: int) -> TavuError:
    """The sentence for `data`, found at `offset` of the file, that is not UTF-8."""
    byte = data[fault.start]
    around = data[max(0, fault.start - SNIFF_BYTES) : fault.start + SNIFF_BYTES]
    encoding, command = _likely_encoding(around, byte, fault)
    convert = f"Convert the file ({command}), or pass" if command else "Pass"
    return TavuError(
        f"{name}: byte 0x{byte:02x} at offset {offset + fault.start:,} is not UTF-8 ({encoding}). {convert} --bytes to train on raw bytes."
    )


def _likely_encoding(around: bytes, byte: int, fault: UnicodeDecodeError) -> tuple[str, str]:
    if 0 in around:
        return "it does not look like text", ""
    if fault.reason == "unexpected end of data":
        return "a character is cut off there", ""
    num_high = sum(value >= 0xC0 for value in around)
    num_letters = sum(chr(value).isalpha() for value in around if value < 0x80)
    if num_high > num_letters:
        return "it looks like an 8-bit encoding such as Windows-1251", "iconv -f cp1251 -t utf-8"
    if byte < 0xA0:
        return "it looks like Windows-1252", "iconv -f cp1252 -t utf-8"
    return "it looks like Latin-1", "iconv -f latin1 -t utf-8"
