"""Bits per byte of several teachers, and of the mean of their distributions.

Shapes: n bytes of a document, N teachers.
"""

from collections.abc import Callable, Sequence

import numpy as np

from tavu.distillation.teacher import Teacher
from tavu.evaluation.bits_per_byte import BitsPerByte, prompt_lengths, summarize
from tavu.vocabulary import END


def measure(
    teachers: Sequence[Teacher],
    documents: Sequence[bytes],
    *,
    as_records: bool = False,
    progress: Callable[[float], None] = lambda share: None,
) -> tuple[list[BitsPerByte], BitsPerByte]:
    """The bits per byte of each teacher, and of the mean of their distributions, over documents or over the completions of records.

    `progress` is called with the share of the work that is done. Raises TavuError when there is nothing to measure.
    """
    arrays = [np.frombuffer(document, dtype=np.uint8) for document in documents]
    skipped = prompt_lengths(arrays) if as_records else [0] * len(arrays)
    num_bytes = [len(array) - skip for array, skip in zip(arrays, skipped, strict=True)]
    num_done, num_all = 0, max(1, len(teachers) * sum(map(len, arrays)))
    nats = np.empty((len(teachers), sum(num_bytes) + len(arrays)))  # -log p of each counted id
    ends = np.cumsum(np.asarray(num_bytes, dtype=np.int64) + 1)
    for teacher, row in zip(teachers, nats, strict=True):
        for array, skip, end, log_probs in zip(arrays, skipped, ends.tolist(), teacher.log_probs(documents), strict=True):
            ids = np.append(array.astype(np.int64), END)
            counted = -log_probs[np.arange(len(ids)), ids][skip:]
            row[end - len(counted) : end] = counted
            num_done += len(array)
            progress(num_done / num_all)
    mean = np.log(len(teachers)) - np.logaddexp.reduce(-nats, axis=0)
    return [_summary(row, ends, num_bytes) for row in nats], _summary(mean, ends, num_bytes)


def _summary(nats: np.ndarray, ends: np.ndarray, num_bytes: Sequence[int]) -> BitsPerByte:
    """The summary over documents of the nats of each id; the ids of document i end at ends[i]."""
    per_document = np.diff(np.concatenate([[0.0], np.cumsum(nats)])[np.concatenate([[0], ends])])
    return summarize((per_document / np.log(2)).tolist(), num_bytes)
