"""Soft targets on disk: what a teacher says of every id of a corpus, computed once and read as often as students like.

Of each distribution the k likeliest ids are stored with their log-probabilities. What remains is spread over all ids by their frequencies in the text
when it is read (training/losses.py); records/LOG.md has what that costs.

Two files for each corpus, teacher and k: NAME.rows, one row per id of the corpus in order, and NAME.json, how many rows are whole, and their CRC-32.
Rows past these were cut off by a kill: the next call overwrites them and continues.

Shapes: n bytes of a document, V = 257 ids, k stored ids, B rows of a batch, T ids of a row, N teachers.
"""

import hashlib
import json
import os
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tavu.data.documents import DocumentFile
from tavu.distillation.teacher import Teacher
from tavu.errors import TavuError
from tavu.files import make_folder, replace_file
from tavu.vocabulary import NUM_IDS

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

FORMAT = 1
"""Incremented when rows would be stored differently, so that older files are not found."""
SAVE_SECONDS = 10.0
"""At most about this much of a teacher's reading is lost by a kill."""
_ASKED_BYTES = 1 << 20
"""Documents are given to a teacher in parts of about this size."""

Progress = Callable[[int, int], None]
"""Called with (rows done, rows in all)."""


def row_type(top_k: int) -> np.dtype:
    """One row: k ids, the likeliest first, and their natural log-probabilities. 4 k bytes."""
    return np.dtype([("ids", "<i2", (top_k,)), ("log_probs", "<f2", (top_k,))])


def likeliest(log_probs: np.ndarray, top_k: int) -> np.ndarray:
    """The rows (n,) of row_type that store distributions (n, V) float32.

    >>> rows = likeliest(np.log(np.array([[0.125, 0.25, 0.625]], dtype=np.float32)), 2)
    >>> rows["ids"].tolist(), np.exp(rows["log_probs"]).round(3).tolist()
    ([[2, 1]], [[0.625, 0.25]])
    """
    ids = np.argpartition(log_probs, -top_k, axis=1)[:, -top_k:]
    order = np.argsort(-np.take_along_axis(log_probs, ids, axis=1), axis=1, kind="stable")
    ids = np.take_along_axis(ids, order, axis=1)
    rows = np.empty(len(log_probs), dtype=row_type(top_k))
    rows["ids"], rows["log_probs"] = ids, np.take_along_axis(log_probs, ids, axis=1).clip(min=np.finfo(np.float16).min)
    return rows


class SoftTargets:
    """What several teachers say of a corpus, by position.

    The ring of a corpus of m ids (data/batches.py) has m - 1 positions, since its last END is its first: row i is of the id at position i + 1.
    """

    def __init__(self, teachers: Sequence[np.ndarray], documents: DocumentFile):
        assert {(len(rows), rows.dtype) for rows in teachers} == {(documents.num_ids - 1, teachers[0].dtype)}, "teachers of other corpora or k"
        self._teachers = teachers
        self.frequencies = id_frequencies(documents)

    def batch(self, starts: np.ndarray, seq_len: int) -> tuple[np.ndarray, np.ndarray]:
        """The targets of batch rows that start at these positions (B,): ids int16 and log-probabilities float16, both (B, T, N, k)."""
        positions = (starts.astype(np.int64)[:, None] + np.arange(-1, seq_len - 1)) % len(self._teachers[0])
        rows = np.stack([teacher[positions] for teacher in self._teachers], axis=2)
        return np.ascontiguousarray(rows["ids"]), np.ascontiguousarray(rows["log_probs"])


def id_frequencies(documents: DocumentFile) -> np.ndarray:
    """How often each id occurs in documents, as shares (V,) float32. Ids that never occur count as half of one that occurs once."""
    counts = np.full(NUM_IDS, 0.5)
    for start in range(1, documents.num_ids, _ASKED_BYTES):
        counts += np.bincount(documents.ids(start, min(_ASKED_BYTES, documents.num_ids - start)), minlength=NUM_IDS)
    return (counts / counts.sum()).astype(np.float32)


def targets_name(teacher_digest: str, corpus_digest: str, top_k: int) -> str:
    """The name of the files of a teacher's targets: it depends on the content of teacher and corpus, not on where they are."""
    facts = [FORMAT, teacher_digest, corpus_digest, top_k]
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()


def find_targets(folder: Path, name: str, documents: DocumentFile, top_k: int) -> np.ndarray | None:
    """The rows (m - 1,) of a teacher's targets if they are whole and undamaged, memory-mapped; else None. Reads all of them once."""
    done, checksum = _saved(folder, name)
    path = folder / f"{name}.rows"
    if done != documents.num_ids - 1 or not path.is_file() or path.stat().st_size != done * row_type(top_k).itemsize:
        return None
    rows = np.asarray(np.memmap(path, dtype=row_type(top_k), mode="r"))
    return rows if zlib.crc32(rows.view(np.uint8).data) == checksum else None


def make_targets(teacher: Teacher, documents: DocumentFile, corpus_digest: str, top_k: int, folder: Path, progress: Progress) -> np.ndarray:
    """The rows (m - 1,) of a teacher's targets, taken from `folder` if they are there; else the teacher reads the corpus, from where it was cut off.

    Raises TavuError when they cannot be written.
    """
    name, num_rows = targets_name(teacher.digest, corpus_digest, top_k), documents.num_ids - 1
    make_folder(folder)
    try:
        with _one_writer(folder / f"{name}.lock"):
            if (rows := find_targets(folder, name, documents, top_k)) is not None:
                return rows
            _write(teacher, documents, top_k, folder, name, progress)
    except OSError as fault:
        size = num_rows * row_type(top_k).itemsize
        raise TavuError(
            f"The soft targets of {teacher.name} could not be written to {folder}: {fault.strerror or fault}. They take {size / 1e6:,.0f} MB: free "
            "some space there, set TAVU_CACHE to another folder, or store fewer ids with --set distill.top_k."
        ) from None
    rows = find_targets(folder, name, documents, top_k)
    assert rows is not None, f"{name} was written and cannot be read"
    return rows


def _write(teacher: Teacher, documents: DocumentFile, top_k: int, folder: Path, name: str, progress: Progress) -> None:
    """Write the rows that are missing. The .json is replaced only after the rows that it counts are on disk."""
    dtype, path, last_save = row_type(top_k), folder / f"{name}.rows", time.monotonic()
    with path.open("r+b" if path.exists() else "w+b") as file:
        done, checksum = _resumed(file, *_saved(folder, name), documents, dtype.itemsize)
        file.seek(done * dtype.itemsize)
        file.truncate()
        progress(done, documents.num_ids - 1)
        for log_probs in _distributions(teacher, documents, done):
            content = likeliest(log_probs, top_k).tobytes()
            file.write(content)
            done, checksum = done + len(log_probs), zlib.crc32(content, checksum)
            progress(done, documents.num_ids - 1)
            if time.monotonic() - last_save > SAVE_SECONDS:
                _save(file, folder, name, done, checksum)
                last_save = time.monotonic()
        _save(file, folder, name, done, checksum)


def _distributions(teacher: Teacher, documents: DocumentFile, done: int) -> Iterator[np.ndarray]:
    """The teacher's distributions (n + 1, V) of each document from row `done` on, which begins a document."""
    index = int(np.searchsorted(documents.offsets, np.uint64(done)))
    while index < documents.num_documents:
        part, num_bytes = list[bytes](), 0
        while index < documents.num_documents and num_bytes < _ASKED_BYTES:
            part.append(documents.document(index).tobytes())
            num_bytes += len(part[-1])
            index += 1
        yield from teacher.log_probs(part)


def _resumed(file: BinaryIO, done: int, checksum: int, documents: DocumentFile, row_bytes: int) -> tuple[int, int]:
    """The rows to keep and their checksum: those that were saved, or none if they are damaged."""
    actual, left = 0, done * row_bytes
    while left and (content := file.read(min(left, _ASKED_BYTES))):
        actual, left = zlib.crc32(content, actual), left - len(content)
    at = int(np.searchsorted(documents.offsets, np.uint64(done)))
    is_whole = left == 0 and actual == checksum and done < documents.num_ids and int(documents.offsets[at]) == done
    return (done, checksum) if is_whole else (0, 0)


def _save(file: BinaryIO, folder: Path, name: str, done: int, checksum: int) -> None:
    file.flush()
    os.fsync(file.fileno())
    replace_file(folder / f"{name}.json", json.dumps({"rows": done, "crc32": checksum}).encode())


def _saved(folder: Path, name: str) -> tuple[int, int]:
    """How many rows are on disk, and their checksum. (0, 0) if there are none, or the file that says so is damaged."""
    try:
        facts = json.loads((folder / f"{name}.json").read_bytes())
        done, checksum = facts["rows"], facts["crc32"]
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0
    return (done, checksum) if isinstance(done, int) and isinstance(checksum, int) and done >= 0 else (0, 0)


@contextmanager
def _one_writer(path: Path) -> Iterator[None]:
    """Wait until no other process writes the same targets. The system releases the lock when a process ends, however it ends."""
    with path.open("ab") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
