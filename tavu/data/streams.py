"""A file -> a stream of its bytes, decompressed within bounds, with lines ending in LF.

first_bytes.py detects the file type; formats.py and rows.py read documents and rows.
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
"""Real text does not compress better than this. An archive that does may be a zip bomb, made to fill the disk."""
_MAX_DICTIONARY_BYTES = 1 << 28
"""Maximum memory to unpack an archive; the highest levels of xz and zstd need a quarter and a half of it."""
_ZSTD_FEED_BYTES = 1 << 12
"""Small, since zstd can expand a run of equal bytes tens of thousands of times, and returns all of it at once."""


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

    Reading raises TavuError if the archive is truncated or damaged, needs too much memory, or unpacks to more than max_unpacked_bytes
    and more than HONEST_RATIO times the compressed bytes read.
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
    """The error for a small file that unpacks to more than num_bytes."""
    return TavuError(
        f"{name} is small and unpacks to more than {num_bytes / 1e6:,.0f} MB, over {HONEST_RATIO} times its size, like a zip bomb. "
        f"If you trust it, train with --set data.max_unpacked_mb={4 * num_bytes // 10**6}, or unpack it yourself first."
    )


class _Archive(io.RawIOBase):
    """A decompressor with bounded output that raises TavuError."""

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
        advice = "Copy or download it again, or pass --skip-bad to use what can be read."
        try:
            data = self._read1(len(target))
        except EOFError:
            raise TavuError(f"{self._name} is truncated: the archive ends before its data does. {advice}") from None
        except self._faults as fault:
            if "memory" in str(fault).lower():
                need = f"more than {_MAX_DICTIONARY_BYTES >> 20} MiB of memory to unpack, more than any usual setting"
                raise TavuError(f"{self._name} needs {need}. If you trust it, unpack it yourself first (zstd -d --long=31, xz -d).") from None
            raise TavuError(f"{self._name} is damaged, or does not match its file ending ({fault}). {advice}") from None
        self._num_bytes += len(data)
        if self._num_bytes > max(self._max_unpacked_bytes, HONEST_RATIO * self._raw.tell()):
            raise too_much(self._name, self._max_unpacked_bytes)
        target[: len(data)] = data
        return len(data)


class _XzReader:
    """The bytes of a .xz with one or more streams, with a memory limit, which Python's LZMAFile does not have."""

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
                fed = (self._stream.unused_data or self._raw.read(SNIFF_BYTES)).lstrip(b"\0")  # streams may be padded with zeros
                following = lzma.LZMADecompressor(memlimit=_MAX_DICTIONARY_BYTES)
                try:
                    data = following.decompress(fed, size) if fed else b""
                except lzma.LZMAError:  # trailing data that is not a stream is ignored
                    return b""
                if not fed:
                    return b""
                self._stream = following
            if data:
                return data


class _ZstdReader:
    """The bytes of a .zst with one or more frames. zstandard's own stream_reader does not report a truncated archive."""

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


def until(raw: BinaryIO, end: int) -> io.BufferedReader:
    """An open file from where it is, up to position `end`."""
    return io.BufferedReader(_Until(raw, end), CHUNK_BYTES)


class _Until(io.RawIOBase):
    def __init__(self, raw: BinaryIO, end: int) -> None:
        self._raw = raw
        self._end = end

    def readable(self) -> bool:
        return True

    def readinto(self, target) -> int:
        data = self._raw.read(min(len(target), self._end - self._raw.tell()))
        target[: len(data)] = data
        return len(data)


def with_line_feeds(stream: io.BufferedReader) -> io.BufferedReader:
    """The stream, with LF instead of CR if its lines end in CR alone, as in classic Mac OS files."""
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
