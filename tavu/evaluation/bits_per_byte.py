"""What documents cost a model, in bits per byte: the one headline figure.

A document of n bytes has n + 1 counted ids, its bytes and its END; the END before it is read and not counted.
Of a record (data/records.py) only the completion counts, with its END, over the completion's bytes.
A document longer than the context is read in windows that overlap by half, and each id is counted in the window where more of the past is seen.
What ids cost is told by a Scorer: PyTorch (torch_scorer.py), or the native engine.
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
"""About how many ids are scored at once."""


class Scorer(Protocol):
    """A model that says what ids cost."""

    @property
    def config(self) -> ModelConfig: ...

    def score(self, stretches: Sequence[np.ndarray], firsts: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Of each stretch of ids (T,), max_seq_len at most: the bits of its ids from `first` on, given those before, and their places in patches."""
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
        raise TavuError("There is nothing to measure: no document holds a byte. Name a source with some text.")
    ratio = sum(bits) / sum(num_bytes)
    residuals = np.asarray(bits) - ratio * np.asarray(num_bytes)
    n = len(bits)
    error = math.sqrt(n / (n - 1) * float(residuals @ residuals)) / sum(num_bytes) if n > 1 else math.nan
    return BitsPerByte(ratio, error, int(sum(num_bytes)), n)


@dataclass(frozen=True)
class Window:
    """A stretch of END, the bytes of a document and END, from `start` to before `stop`, of which the ids from `first_counted` on are counted."""

    document: int
    start: int
    stop: int
    first_counted: int

    def ids(self, document: np.ndarray) -> np.ndarray:
        """Its ids (T,) int32."""
        ids = np.full(self.stop - self.start, END, dtype=np.int32)
        content = document[max(0, self.start - 1) : self.stop - 1]
        begin = 1 if self.start == 0 else 0  # after the END that starts a document; where it stops, END is there already
        ids[begin : begin + len(content)] = content
        return ids


def document_bits(scorer: Scorer, documents: Sequence[np.ndarray], *, as_records: bool = False) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """For each window of each document (uint8 arrays): its document, the first counted id, the bits of each counted id, and its place in its patch.

    Windows come in an order of their own (long ones together); of one document, in order. The id numbered n of n bytes is END.
    """
    read_only = prompt_lengths(documents) if as_records else [0] * len(documents)
    waiting = sorted(windows([len(d) for d in documents], read_only, scorer.config.max_seq_len), key=lambda w: w.start - w.stop)  # the longest first
    while waiting:
        num = max(1, BATCH_POSITIONS // (waiting[0].stop - waiting[0].start))
        batch, waiting = waiting[:num], waiting[num:]
        stretches = [window.ids(documents[window.document]) for window in batch]
        scored = scorer.score(stretches, [window.first_counted - window.start for window in batch])
        for window, (bits, places) in zip(batch, scored, strict=True):
            yield window.document, window.first_counted - 1, bits, places


def bits_per_byte(scorer: Scorer, documents: Sequence[np.ndarray], *, as_records: bool = False) -> BitsPerByte:
    """Bits per byte over whole documents, or the completions of records. Raises TavuError when there is nothing to measure."""
    totals = np.zeros(len(documents))
    for document, _, bits, _ in document_bits(scorer, documents, as_records=as_records):
        totals[document] += bits.sum(dtype=np.float64)
    read_only = prompt_lengths(documents) if as_records else [0] * len(documents)
    return summarize(totals.tolist(), [len(d) - n for d, n in zip(documents, read_only, strict=True)])


def ending_bits(scorer: Scorer, texts: Sequence[tuple[bytes, bytes]]) -> list[float]:
    """What each ending costs after its beginning, in bits, without the END after it."""
    totals = [0.0] * len(texts)
    for document, first, bits, _ in document_bits(scorer, [np.frombuffer(beginning + ending, dtype=np.uint8) for beginning, ending in texts]):
        begin, end = len(texts[document][0]), sum(map(len, texts[document]))
        totals[document] += float(bits[max(0, begin - first) : max(0, end - first)].sum())
    return totals


def prompt_lengths(documents: Sequence[np.ndarray]) -> list[int]:
    """How many bytes of each record are read and not written: its prompt and the mark."""
    return [len(split_document(document.tobytes())[0]) for document in documents]


def windows(lengths: Sequence[int], read_only: Sequence[int], context: int) -> Iterator[Window]:
    """The windows in which documents of these lengths are read, each with an END before it and one after it; what is read only is not counted."""
    for document, (n, num_read) in enumerate(zip(lengths, read_only, strict=True)):
        length, counted = n + 2, 1 + num_read  # END before it, END after it
        while counted < length:
            start = 0 if counted < context else max(0, counted - context // 2)
            stop = min(length, start + context)
            yield Window(document, start, stop, counted)
            counted = stop
