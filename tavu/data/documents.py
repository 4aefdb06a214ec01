"""Documents in one memory-mapped file, and its writer.

On disk, SEP one byte 0:  SEP d1 SEP d2 SEP ... dn SEP,  and beside it the uint64 offsets of the SEPs (.npy).
A SEP is read as END. A byte 0 within a document stays 0: the offsets distinguish the two.
"""

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tavu.vocabulary import END

SEP = b"\0"
_COPY_BYTES = 1 << 20


class DocumentFile:
    """The documents of a corpus in order, memory-mapped; `path` has no ending."""

    def __init__(self, path: Path) -> None:
        # Plain arrays over the maps: indexing a memmap itself costs several microseconds.
        self._bytes = np.asarray(np.memmap(path.with_suffix(".bin"), dtype=np.uint8, mode="r"))
        self.offsets = np.asarray(np.load(path.with_suffix(".npy"), mmap_mode="r"))
        """Positions of the ENDs, (num_documents + 1,): document i is between ENDs i and i + 1."""
        assert self.offsets.dtype == np.uint64 and int(self.offsets[-1]) + 1 == len(self._bytes), f"{path} is not a corpus"

    @property
    def num_documents(self) -> int:
        return len(self.offsets) - 1

    @property
    def num_bytes(self) -> int:
        """Bytes of text, without the ENDs."""
        return len(self._bytes) - len(self.offsets)

    @property
    def num_ids(self) -> int:
        """Bytes and ENDs."""
        return len(self._bytes)

    def num_longer_than(self, num_ids: int) -> int:
        """How many documents, each with the END before it, do not fit in `num_ids` ids."""
        return int(np.count_nonzero(np.diff(self.offsets) > num_ids))

    def document(self, index: int) -> np.ndarray:
        """The bytes of one document, uint8, a view."""
        return self._bytes[int(self.offsets[index]) + 1 : int(self.offsets[index + 1])]

    def ids(self, start: int, length: int) -> np.ndarray:
        """ids (length,) int64 from position `start` of END d1 END d2 END ... dn END."""
        assert 0 <= start <= start + length <= self.num_ids, f"{start} + {length} is not within {self.num_ids}"
        ids = self._bytes[start : start + length].astype(np.int64)
        # np.uint64: otherwise numpy compares as float64, which copies all offsets.
        first, last = np.searchsorted(self.offsets, np.array([start, start + length], dtype=np.uint64))
        ids[self.offsets[first:last].astype(np.int64) - start] = END
        return ids


def write_documents(path: Path, source: BinaryIO, starts: np.ndarray, lengths: np.ndarray) -> tuple[str, frozenset[int]]:
    """Write the documents of `source`, given by starts and lengths (int64), as a DocumentFile. Returns the digest of its .bin and its byte values.

    Documents that are one byte apart in `source`, as they are here, are copied together with the byte between them.
    """
    breaks = np.flatnonzero(starts[1:] != starts[:-1] + lengths[:-1] + 1) + 1
    firsts, lasts = np.append(0, breaks), np.append(breaks, len(starts)) - 1
    with path.with_suffix(".bin").open("wb", _COPY_BYTES) as file, ThreadPoolExecutor(1) as thread:
        target = _Target(file, thread)
        for begin, end in zip(starts[firsts].tolist(), (starts + lengths)[lasts].tolist(), strict=True):
            target.write(SEP)
            _copy(source, begin, end, target)
        target.write(SEP)
        _to_disk(file)
        digest, used_bytes = target.finish(num_separators=len(starts) + 1)
    offsets = np.zeros(len(starts) + 1, dtype=np.uint64)
    np.cumsum(lengths + 1, out=offsets[1:])
    with path.with_suffix(".npy").open("wb") as file:
        np.save(file, offsets)
        _to_disk(file)
    return digest, used_bytes


def new_digest() -> "hashlib.blake2b":
    """The digest of a file's content."""
    return hashlib.blake2b(digest_size=16)


class _Target:
    """A file to write, with the digest of what is written, which another thread computes meanwhile, and the byte values in it."""

    def __init__(self, file: BinaryIO, thread: ThreadPoolExecutor) -> None:
        self._file = file
        self._thread = thread
        self._digest = new_digest()
        self._held = bytearray()
        self._digesting: Future[None] | None = None
        self._seen, self._num_zeros = SEP, 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._held += data
        if len(self._held) >= _COPY_BYTES:
            self._pass_on()

    def _pass_on(self) -> None:
        if self._digesting is not None:
            self._digesting.result()
        held, self._held = bytes(self._held), bytearray()
        self._digesting = self._thread.submit(self._digest.update, held)
        self._num_zeros += held.count(SEP)
        self._seen += bytes(set(held.translate(None, self._seen)))  # only new byte values are left, and soon none

    def finish(self, *, num_separators: int) -> tuple[str, frozenset[int]]:
        self._pass_on()
        assert self._digesting is not None
        self._digesting.result()
        return self._digest.hexdigest(), frozenset(self._seen if self._num_zeros > num_separators else self._seen[1:])


def _copy(source: BinaryIO, begin: int, end: int, target: _Target) -> None:
    source.seek(begin)
    for at in range(begin, end, _COPY_BYTES):
        target.write(source.read(min(_COPY_BYTES, end - at)))


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
