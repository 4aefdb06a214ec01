"""A file -> its bytes as a stream, decompressed within bounds, lines ending in LF.

What the first bytes say about the rest is first_bytes' subject; what the bytes mean (documents, rows, fields) that of text and rows.
"""

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
HONEST_RATIO = 100
"""No text of people is compressed further than this: what is, may be made to fill the disk (a "zip bomb")."""
_MAX_DICTIONARY_BYTES = 1 << 28
"""The most memory that an archive may ask for to be unpacked; the best settings of xz and zstd ask for a quarter and a half of it."""
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


def open_stream(raw: BinaryIO, name: str, compression: str, max_unpacked_bytes: int) -> io.BufferedReader:
    """The decompressed bytes of an open file.

    Reading them raises TavuError where the archive is cut off or damaged, asks for much memory, or unpacks to more than
    max_unpacked_bytes and more than HONEST_RATIO times what was read of it.
    """
    if compression == ".gz":
        archive = _Archive(gzip.GzipFile(fileobj=raw).read1, raw, name, max_unpacked_bytes, (zlib.error, gzip.BadGzipFile))
    elif compression == ".xz":
        archive = _Archive(_XzReader(raw).read1, raw, name, max_unpacked_bytes, (lzma.LZMAError,))
    elif compression == ".zst":
        import zstandard

        archive = _Archive(_ZstdReader(raw).read1, raw, name, max_unpacked_bytes, (zstandard.ZstdError,))
    else:
        return cast(io.BufferedReader, raw)
    return io.BufferedReader(archive, CHUNK_BYTES)


def too_much(name: str, num_bytes: int) -> TavuError:
    """The sentence for a small file that unpacks to more than num_bytes."""
    return TavuError(
        f"{name} is small and unpacks to more than {num_bytes / 1e6:,.0f} MB, over {HONEST_RATIO} times its size, as files do that are made to fill "
        f"a disk. If you trust it, train with --set data.max_unpacked_mb={4 * num_bytes // 10**6}, or unpack it yourself first."
    )


class _Archive(io.RawIOBase):
    """A decompressor whose faults are sentences, and whose output has a bound."""

    def __init__(self, read1: Callable[[int], bytes], raw: BinaryIO, name: str, max_unpacked_bytes: int, faults: tuple[type[Exception], ...]) -> None:
        self._read1 = read1
        self._raw = raw
        self._name = name
        self._max_unpacked_bytes = max_unpacked_bytes
        self._faults = faults
        self._num_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, target) -> int:  # the buffer type has no name before Python 3.12
        again = "Copy or download it again, or pass --skip-bad to use what can be read."
        try:
            data = self._read1(len(target))
        except EOFError:
            raise TavuError(f"{self._name} is cut off: the archive ends before its data does. {again}") from None
        except self._faults as fault:
            if "memory" in str(fault).lower():
                need = f"more than {_MAX_DICTIONARY_BYTES >> 20} MiB of memory to unpack, which no usual setting asks for"
                raise TavuError(f"{self._name} needs {need}. If you trust it, unpack it yourself first (zstd -d --long=31, xz -d).") from None
            raise TavuError(f"{self._name} is damaged, or not what its ending says ({fault}). {again}") from None
        self._num_bytes += len(data)
        if self._num_bytes > max(self._max_unpacked_bytes, HONEST_RATIO * self._raw.tell()):
            raise too_much(self._name, self._max_unpacked_bytes)
        target[: len(data)] = data
        return len(data)


class _XzReader:
    """The bytes of a .xz, stream after stream, within a bound on memory that Python's own LZMAFile cannot be given."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._stream = lzma.LZMADecompressor(memlimit=_MAX_DICTIONARY_BYTES)

    def read1(self, size: int) -> bytes:
        while True:
            if not self._stream.eof:
                fed = self._raw.read(SNIFF_BYTES) if self._stream.needs_input else b""
                if self._stream.needs_input and not fed:
                    raise EOFError
                data = self._stream.decompress(fed, size)
            else:
                fed = (self._stream.unused_data or self._raw.read(SNIFF_BYTES)).lstrip(b"\0")  # zeros may stand between streams
                following = lzma.LZMADecompressor(memlimit=_MAX_DICTIONARY_BYTES)
                try:
                    data = following.decompress(fed, size) if fed else b""
                except lzma.LZMAError:  # what follows is not a stream, and of no concern
                    return b""
                if not fed:
                    return b""
                self._stream = following
            if data:
                return data


class _ZstdReader:
    """The bytes of a .zst, frame after frame. zstandard's own stream_reader takes a cut-off archive for a whole one."""

    def __init__(self, raw: BinaryIO) -> None:
        import zstandard

        self._new_frame = zstandard.ZstdDecompressor(max_window_size=_MAX_DICTIONARY_BYTES).decompressobj
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


def with_line_feeds(stream: io.BufferedReader) -> io.BufferedReader:
    """The stream, in which lines that end in CR alone, as on the first Macintoshes, end in LF."""
    head = stream.peek(SNIFF_BYTES)[:SNIFF_BYTES]
    return io.BufferedReader(_LineFeeds(stream), CHUNK_BYTES) if b"\r" in head and b"\n" not in head else stream


class _LineFeeds(io.RawIOBase):
    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, target) -> int:
        data = self._stream.read1(len(target)).replace(b"\r", b"\n")
        target[: len(data)] = data
        return len(data)
