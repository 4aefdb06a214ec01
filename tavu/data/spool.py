"""Sources -> spool files: their documents in reading order, with a few numbers about each document. corpus.py makes a corpus of them.

Each group of parts (ranges.py) gives one spool file, in this process or in others (processes.py). Together they are  d1 SEP d2 SEP ... dn SEP.
"""

import io
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import numpy as np

from tavu.config import DataConfig
from tavu.data import split
from tavu.data.documents import SEP
from tavu.data.parts import Part, SourceReport, read_parts
from tavu.data.records import split_document
from tavu.errors import TavuError

PROGRESS_BYTES = 1 << 20

Advance = Callable[[int], None]
"""Called with the number of bytes that were read since the last call."""


@dataclass(frozen=True)
class Job:
    """Parts of one source, to be written to the spool file of this number."""

    number: int
    parts: tuple[Part, ...]


@dataclass
class Outcome:
    """What came of a job: what was read, and the error that ended it, if any."""

    report: SourceReport = field(default_factory=SourceReport)
    error: str | None = None


@dataclass(frozen=True)
class Spool:
    """All documents in reading order, those of valid sources last.

    Shapes: N documents; starts in the joined files and lengths (N,) int64, digests and completion_digests (N,) uint64.
    """

    files: tuple[Path, ...]
    starts: np.ndarray
    lengths: np.ndarray
    digests: np.ndarray
    completion_digests: np.ndarray
    """For records, digests of the completions alone: one story under two prompts must not be in both train and valid. Else equal to digests."""
    num_train: int

    def open(self) -> io.BufferedReader:
        """The spool files as one."""
        return io.BufferedReader(_Joined(self.files), PROGRESS_BYTES)


def spool_job(job: Job, data: DataConfig, folder: Path, advance: Advance, before: SourceReport | None = None) -> Outcome:
    """Read the parts of a job and write its spool file. For a range of a file, `before` has the rows and bytes that were read of it before.

    Raises OSError if the spool cannot be written, as on a full disk.
    """
    outcome = Outcome()
    report, of_tales = outcome.report, not job.parts[0].path
    if before is not None:
        report.rows, report.unpacked_bytes = before.rows, before.unpacked_bytes
    lengths, digests, completion_digests = array("Q"), array("Q"), array("Q")
    reported = 0
    with _text_file(folder, job.number).open("wb", buffering=PROGRESS_BYTES) as spool:
        try:
            for document in read_parts(job.parts, data, report):
                spool.write(document)
                spool.write(SEP)
                lengths.append(len(document))
                digests.append(split.document_digest(document))
                if data.as_records:
                    completion_digests.append(split.document_digest(split_document(document)[1]))
                num_done = report.bytes if of_tales else report.file_bytes_read
                if num_done >= reported + PROGRESS_BYTES:
                    advance(num_done - reported)
                    reported = num_done
        except TavuError as error:
            outcome.error = str(error)
    if before is not None:
        report.rows -= before.rows
        report.unpacked_bytes -= before.unpacked_bytes
    advance((report.bytes if of_tales else report.file_bytes_read) - reported)
    columns = [lengths, digests, completion_digests] if data.as_records else [lengths, digests]
    np.save(_numbers_file(folder, job.number), np.stack([np.frombuffer(column, dtype=np.uint64) for column in columns]))
    return outcome


def joined(folder: Path, numbers: Sequence[int], num_train_jobs: int) -> Spool:
    """The spool of the jobs of these numbers, in order; those from num_train_jobs on are of valid sources."""
    columns = [np.load(_numbers_file(folder, number)) for number in numbers]
    num_train = sum(column.shape[1] for column in columns[:num_train_jobs])
    lengths, digests, *completions = np.concatenate(columns, axis=1)
    del columns
    lengths = lengths.astype(np.int64)
    starts = np.cumsum(lengths + 1) - (lengths + 1)
    files = tuple(_text_file(folder, number) for number in numbers)
    return Spool(files, starts, lengths, digests, completions[0] if completions else digests, num_train)


def _text_file(folder: Path, number: int) -> Path:
    return folder / str(number)


def _numbers_file(folder: Path, number: int) -> Path:
    return folder / f"{number}.npy"


class _Joined(io.RawIOBase):
    """Files one after another, one of them open at a time."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = [file for file in files if file.stat().st_size]
        self._begins = [0, *accumulate(file.stat().st_size for file in self._files)]
        self._at = 0
        self._index = -1
        self._open: io.FileIO | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._begins[-1])[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, target) -> int:
        if self._at >= self._begins[-1]:
            return 0
        index = bisect_right(self._begins, self._at) - 1
        if index != self._index or self._open is None:
            if self._open is not None:
                self._open.close()
            self._index, self._open = index, io.FileIO(self._files[index])
        self._open.seek(self._at - self._begins[index])
        num_read = self._open.readinto(target) or 0
        self._at += num_read
        return num_read

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
        super().close()
