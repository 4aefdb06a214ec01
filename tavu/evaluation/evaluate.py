"""A complete evaluation: bits per byte, their breakdown by position, n-gram baselines, and speed."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tavu.data.records import split_document
from tavu.evaluation.bits_per_byte import BitsPerByte, Scorer, document_bits, summarize
from tavu.evaluation.ngram import ngram_floors

LAST_PLACE_IN_PATCH = 11
"""Later positions in a patch are reported together."""
PLACES_IN_DOCUMENT = (0, 1, 10, 100, 1000, 10_000)
"""Where the ranges of a document start for which bits are reported."""


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation. The two by_place dicts give the mean bits of an id by its position."""

    result: BitsPerByte
    by_place_in_patch: dict[str, float]
    """By the number of ids before it in its patch."""
    by_place_in_document: dict[str, float]
    """By the number of bytes before it in its document."""
    ngram_floors: dict[int, float]
    """Bits per byte of n-gram models by order. Empty if there is no text to train them on."""
    floors_from: str
    """The text they were trained on."""
    bytes_per_second: float

    def to_dict(self) -> dict[str, Any]:
        places = {"by_place_in_patch": self.by_place_in_patch, "by_place_in_document": self.by_place_in_document}
        floors = {"ngram_floors": {str(order): bpb for order, bpb in self.ngram_floors.items()}, "floors_from": self.floors_from}
        return {**asdict(self.result), **places, **floors, "bytes_per_second": self.bytes_per_second}


def evaluate(
    scorer: Scorer,
    documents: Sequence[bytes],
    *,
    train_documents: Iterable[bytes] = (),
    as_records: bool = False,
    progress: Callable[[str, float], None] = lambda what, share: None,
) -> Evaluation:
    """Evaluate a model on documents, or on the completions of records.

    The n-gram floors are trained on train_documents. Without any, each half of the documents is scored by floors trained on the other half.
    `progress` is called with the current stage and the fraction of it that is done. Raises TavuError when there is nothing to measure.
    """
    arrays = [np.frombuffer(document, dtype=np.uint8) for document in documents]
    totals = np.zeros(len(arrays))
    in_patch, in_document = _Means(LAST_PLACE_IN_PATCH + 1), _Means(len(PLACES_IN_DOCUMENT))
    done, num_bytes, begun = 0, max(1, sum(map(len, documents))), time.perf_counter()
    for document, first, bits, places in document_bits(scorer, arrays, as_records=as_records):
        totals[document] += bits.sum(dtype=np.float64)
        in_patch.add(np.minimum(places, LAST_PLACE_IN_PATCH), bits)
        in_document.add(np.searchsorted(PLACES_IN_DOCUMENT, np.arange(first, first + len(bits)), side="right") - 1, bits)
        done += len(bits)
        progress("measuring", done / num_bytes)
    seconds = time.perf_counter() - begun
    completions = [split_document(document)[1] for document in documents] if as_records else documents
    result = summarize(totals.tolist(), list(map(len, completions)))
    progress("training n-gram models", 0)
    floors, floors_from = _floors(completions, (split_document(document)[1] if as_records else document for document in train_documents))
    return Evaluation(
        result,
        in_patch.named([str(i) for i in range(LAST_PLACE_IN_PATCH)] + [f"{LAST_PLACE_IN_PATCH}+"]),
        in_document.named(_ranges(PLACES_IN_DOCUMENT)),
        floors,
        floors_from,
        result.num_bytes / seconds,
    )


def _floors(documents: Sequence[bytes], train_documents: Iterable[bytes]) -> tuple[dict[int, float], str]:
    train = list(train_documents)
    if train:
        return ngram_floors(train, documents), "the model's training text"
    halves = documents[::2], documents[1::2]
    if not halves[1]:
        return {}, "nothing: a single document has no other half"
    sizes = [sum(map(len, half)) for half in halves]
    one, other = ngram_floors(halves[1], halves[0]), ngram_floors(halves[0], halves[1])
    return {order: (one[order] * sizes[0] + other[order] * sizes[1]) / sum(sizes) for order in one}, "the other half of this text"


class _Means:
    """A running mean of bits per group."""

    def __init__(self, num_groups: int):
        self.sums, self.counts = np.zeros(num_groups), np.zeros(num_groups, dtype=np.int64)

    def add(self, groups: np.ndarray, bits: np.ndarray) -> None:
        self.sums += np.bincount(groups, weights=bits, minlength=len(self.sums))
        self.counts += np.bincount(groups, minlength=len(self.counts))

    def named(self, names: Sequence[str]) -> dict[str, float]:
        return {name: float(total / count) for name, total, count in zip(names, self.sums, self.counts, strict=True) if count}


def _ranges(starts: Sequence[int]) -> list[str]:
    """Names of the ranges that start at these positions.

    >>> _ranges((0, 1, 10))
    ['0', '1-9', '10+']
    """
    ends = [str(start) if stop == start + 1 else f"{start:,}-{stop - 1:,}" for start, stop in zip(starts, starts[1:], strict=False)]
    return [*ends, f"{starts[-1]:,}+"]
