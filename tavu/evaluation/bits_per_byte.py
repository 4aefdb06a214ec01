"""Bits per byte of documents under a model: the headline figure.

A document of n bytes has n + 1 counted ids: its bytes and its END. The END before it is input only.
In a record (data/records.py) only the completion and its END are counted, divided by the completion's bytes.
A document longer than the context is read in windows that overlap by half. Each id is counted once, in the window that gives it more context.
A Scorer computes the bits of each id: PyTorch (torch_scorer.py), or the native engine.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tavu.config import ModelConfig
from tavu.data.records import split_document
from tavu.errors import TavuError
from tavu.vocabulary import END

BATCH_POSITIONS = 8192
"""The approximate number of ids in a batch."""


class Scorer(Protocol):
    """A model that computes the bits of ids."""

    @property
    def config(self) -> ModelConfig: ...

    def score(self, sequences: Sequence[np.ndarray], firsts: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each sequence of ids (T,), T <= max_seq_len: the bits of its ids from `first` on, and their positions in their patches."""
        ...


@dataclass(frozen=True)
class BitsPerByte:
    """Total bits of all documents (each with its END) over their bytes, and the standard error of that ratio over documents."""

    bits_per_byte: float
    standard_error: float
    num_bytes: int
    num_documents: int


def summarize(bits: Sequence[float], num_bytes: Sequence[int]) -> BitsPerByte:
    """The ratio of two sums over documents, and its standard error by linearization (Cochran 1977, Sampling Techniques, section 2.11).

    >>> summarize([10.0, 22.0], [10, 20]).bits_per_byte
    1.0666666666666667
    """
    if not len(bits) or not sum(num_bytes):
        raise TavuError("There is nothing to measure: all documents are empty. Name a source with some text.")
    ratio = sum(bits) / sum(num_bytes)
    residuals = np.asarray(bits) - ratio * np.asarray(num_bytes)
    n = len(bits)
    error = math.sqrt(n / (n - 1) * float(residuals @ residuals)) / sum(num_bytes) if n > 1 else math.nan
    return BitsPerByte(ratio, error, int(sum(num_bytes)), n)


@dataclass(frozen=True)
class Window:
    """The slice [start, stop) of END, the bytes of a document, END. Its ids from `first_counted` on are counted."""

    document: int
    start: int
    stop: int
    first_counted: int

    def ids(self, document: np.ndarray) -> np.ndarray:
        """Its ids (T,) int32."""
        ids = np.full(self.stop - self.start, END, dtype=np.int32)
        content = document[max(0, self.start - 1) : self.stop - 1]
        begin = 1 if self.start == 0 else 0  # skip the END that starts the document; the last END is in place already
        ids[begin : begin + len(content)] = content
        return ids


def document_bits(scorer: Scorer, documents: Sequence[np.ndarray], *, as_records: bool = False) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """For each window: its document, the first counted id, the bits of each counted id, and its position in its patch. Documents are uint8 arrays.

    Windows are sorted by length, so that batches need little padding; those of one document stay in order. Id n of a document of n bytes is END.
    """
    read_only = prompt_lengths(documents) if as_records else [0] * len(documents)
    for batch in batches_of_windows([len(d) for d in documents], read_only, scorer.config.max_seq_len):
        sequences = [window.ids(documents[window.document]) for window in batch]
        scored = scorer.score(sequences, [window.first_counted - window.start for window in batch])
        for window, (bits, places) in zip(batch, scored, strict=True):
            yield window.document, window.first_counted - 1, bits, places


def bits_per_byte(scorer: Scorer, documents: Sequence[np.ndarray], *, as_records: bool = False) -> BitsPerByte:
    """Bits per byte over documents, or over the completions of records. Raises TavuError when there is nothing to measure."""
    totals = np.zeros(len(documents))
    for document, _, bits, _ in document_bits(scorer, documents, as_records=as_records):
        totals[document] += bits.sum(dtype=np.float64)
    read_only = prompt_lengths(documents) if as_records else [0] * len(documents)
    return summarize(totals.tolist(), [len(d) - n for d, n in zip(documents, read_only, strict=True)])


def ending_bits(scorer: Scorer, texts: Sequence[tuple[bytes, bytes]]) -> list[float]:
    """The bits of each ending given its beginning, without the END that follows."""
    totals = [0.0] * len(texts)
    for document, first, bits, _ in document_bits(scorer, [np.frombuffer(beginning + ending, dtype=np.uint8) for beginning, ending in texts]):
        begin, end = len(texts[document][0]), sum(map(len, texts[document]))
        totals[document] += float(bits[max(0, begin - first) : max(0, end - first)].sum())
    return totals


def prompt_lengths(documents: Sequence[np.ndarray]) -> list[int]:
    """The length of each record's prompt in bytes, its mark included. These bytes are not counted."""
    return [len(split_document(document.tobytes())[0]) for document in documents]


def batches_of_windows(lengths: Sequence[int], read_only: Sequence[int], context: int) -> Iterator[list["Window"]]:
    """The windows of documents (see windows) in batches of about BATCH_POSITIONS ids, the longest first, so that they need little padding."""
    remaining = sorted(windows(lengths, read_only, context), key=lambda window: window.start - window.stop)
    while remaining:
        num = max(1, BATCH_POSITIONS // (remaining[0].stop - remaining[0].start))
        yield remaining[:num]
        remaining = remaining[num:]


def windows(lengths: Sequence[int], read_only: Sequence[int], context: int) -> Iterator[Window]:
    """The windows that cover documents of these lengths, each with END before and after. The first `read_only` bytes of each are not counted."""
    for document, (n, num_read) in enumerate(zip(lengths, read_only, strict=True)):
        length, counted = n + 2, 1 + num_read  # END before it, END after it
        while counted < length:
            start = 0 if counted < context else max(0, counted - context // 2)
            stop = min(length, start + context)
            yield Window(document, start, stop, counted)
            counted = stop
