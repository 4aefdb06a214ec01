"""Byte n-gram models: baselines ("floors") that put a model's bits per byte into perspective.

An n-gram model of order n predicts an id from the n - 1 ids before it. Orders are interpolated from the lowest up:

    p_k(id | context) = (count(context id) + kinds(context) * p_{k-1}(id | shorter context)) / (count(context) + kinds(context))

where kinds(context) is the number of distinct ids seen after it, and p_0 is uniform over the V ids. The interpolation is
Witten and Bell's (1991; Chen and Goodman 1998, section 2.5): it has no parameter to fit, sums to 1, and gives no id
probability 0. The counts below the highest order are Kneser and Ney's (1995): a shorter sequence counts once for each
distinct id before it. On stories, up to order 5, this is as good as modified Kneser-Ney.

A document is END (order - 1 times) as context, its bytes, and END. No context reaches across documents.
Shapes: G distinct sequences of one length, C distinct contexts, W windows (one per predicted id).
A sequence of ids is packed into one integer, the oldest id first, as digits base V.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from tavu.errors import TavuError
from tavu.vocabulary import END, NUM_IDS

MAX_ORDER = 7
"""The longest sequence that packs into 63 bits."""
assert NUM_IDS**MAX_ORDER < 2**63 <= NUM_IDS ** (MAX_ORDER + 1)

MAX_TRAIN_BYTES = 8_000_000
"""A floor is trained on at most the first this many bytes. More hardly changes orders up to 5."""

_WINDOWS_AT_ONCE = 1_000_000  # limits the memory of counting and scoring


@dataclass(frozen=True, eq=False)
class _Counts:
    """Counts of all sequences of one length, packed and sorted for binary search."""

    sequences: np.ndarray  # (G,) int64, sorted: context * V + id
    counts: np.ndarray  # (G,) int64
    contexts: np.ndarray  # (C,) int64, sorted
    totals: np.ndarray  # (C,) int64: the sum of the counts of a context's sequences
    kinds: np.ndarray  # (C,) int64: the number of a context's sequences

    def interpolate(self, windows: np.ndarray, lower: np.ndarray) -> np.ndarray:
        """p_k of each window (W,), given p_{k-1} (W,). For an unseen context it is p_{k-1}."""
        count = _look_up(self.sequences, self.counts, windows)  # (W,)
        total = _look_up(self.contexts, self.totals, windows // NUM_IDS)
        kinds = _look_up(self.contexts, self.kinds, windows // NUM_IDS)
        return np.where(kinds > 0, (count + kinds * lower) / np.maximum(total + kinds, 1), lower)


@dataclass(frozen=True, eq=False)
class NgramModel:
    """A byte n-gram model; `train_ngram` makes one."""

    order: int
    levels: tuple[_Counts, ...]  # of sequences of 1, 2, ... order ids

    def probabilities(self, windows: np.ndarray) -> np.ndarray:
        """Probability of each window's last id given the ids before it, (W,) float64.

        Shapes: windows (W,) int64, each `order` ids packed base V, the oldest first.
        """
        probability = np.full(len(windows), 1 / NUM_IDS)
        for length, level in enumerate(self.levels, start=1):
            probability = level.interpolate(windows % NUM_IDS**length, probability)
        return probability

    def bits(self, documents: Iterable[bytes | np.ndarray]) -> np.ndarray:
        """Cost of each document in bits, (number of documents,) float64: its bytes and its END.

        A document is bytes, or an array (T,) of byte ids.
        """
        per_document: list[float] = []
        for windows, first, owners in _batches(documents, self.order):
            different, inverse = np.unique(windows, return_inverse=True)  # sorted, so that binary search stays in cache
            bits = -np.log2(self.probabilities(different))[inverse]  # (W,)
            per_document.extend([0.0] * (first + int(owners[-1]) + 1 - len(per_document)))
            for owner, bits_of_owner in enumerate(np.bincount(owners, weights=bits)):
                per_document[first + owner] += float(bits_of_owner)
        return np.array(per_document)


def train_ngram(documents: Iterable[bytes | np.ndarray], order: int) -> NgramModel:
    """An n-gram model of the documents, each bytes or an array (T,) of byte ids.

    Raises TavuError when there is no document, or the order is out of 1..MAX_ORDER.
    """
    if not 1 <= order <= MAX_ORDER:
        raise TavuError(f"The n-gram order is {order}, expected 1 to {MAX_ORDER}. Try 5.")
    counted = [np.unique(windows, return_counts=True) for windows, _, _ in _batches(documents, order)]
    if not counted:
        raise TavuError("There is no document to train the n-gram floor on, expected at least one. Give a training text.")
    sequences, inverse = np.unique(np.concatenate([batch for batch, _ in counted]), return_inverse=True)
    counts = np.bincount(inverse, weights=np.concatenate([times for _, times in counted])).astype(np.int64)
    levels = [_group(sequences, counts)]
    for length in range(order - 1, 0, -1):  # Kneser-Ney: each distinct longer sequence counts once
        sequences, counts = np.unique(sequences % NUM_IDS**length, return_counts=True)
        levels.insert(0, _group(sequences, counts))
    return NgramModel(order, tuple(levels))


def ngram_floors(train: Iterable[bytes | np.ndarray], valid: Iterable[bytes | np.ndarray], orders: tuple[int, ...] = (1, 3, 5)) -> dict[int, float]:
    """Bits per byte of `valid` under the n-gram model of each order, trained on the first MAX_TRAIN_BYTES of `train`.

    Documents are bytes, or arrays (T,) of byte ids. Raises TavuError when `train` or `valid` is empty.
    """
    train, valid = _first_bytes(train, MAX_TRAIN_BYTES), list(valid)
    valid_bytes = sum(map(len, valid))
    if not valid_bytes:
        raise TavuError("There is no byte to score with the n-gram floors, expected some text. Give a longer text.")
    return {order: float(train_ngram(train, order).bits(valid).sum()) / valid_bytes for order in orders}


def pack(ids: np.ndarray, order: int) -> np.ndarray:
    """Every run of `order` ids in ids (T,), packed, (T - order + 1,) int64: digits base V, the oldest id first.

    >>> pack(np.array([1, 2, 3]), 2).tolist() == [1 * 257 + 2, 2 * 257 + 3]
    True
    """
    packed = np.zeros(len(ids) - order + 1, dtype=np.int64)
    for offset in range(order):
        packed = packed * NUM_IDS + ids[offset : offset + len(packed)]
    return packed


def _group(sequences: np.ndarray, counts: np.ndarray) -> _Counts:
    contexts, first, kinds = np.unique(sequences // NUM_IDS, return_index=True, return_counts=True)
    return _Counts(sequences, counts, contexts, np.add.reduceat(counts, first), kinds)


def _look_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The value of each wanted key (W,), or 0 if it is not in the sorted keys."""
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], 0)


def _first_bytes(documents: Iterable[bytes | np.ndarray], num_bytes: int) -> list[bytes | np.ndarray]:
    """The first `num_bytes` bytes of the documents. The last one is cut."""
    taken: list[bytes | np.ndarray] = []
    for document in documents:
        taken.append(document[:num_bytes])
        num_bytes -= len(document)
        if num_bytes <= 0:
            break
    return taken


def _batches(documents: Iterable[bytes | np.ndarray], order: int) -> Iterator[tuple[np.ndarray, int, np.ndarray]]:
    """Windows (W,), the number of their first document, and the document of each window relative to it (W,).

    There is one window per byte and END. A document longer than a batch continues in the next one.
    """
    pieces: list[np.ndarray] = []
    owners: list[int] = []
    num_windows = 0
    for number, document in enumerate(documents):
        ids = _with_ends(document, order)
        for start in range(0, len(ids) - order + 1, _WINDOWS_AT_ONCE):
            pieces.append(pack(ids[start : start + _WINDOWS_AT_ONCE + order - 1], order))
            owners.append(number)
            num_windows += len(pieces[-1])
            if num_windows >= _WINDOWS_AT_ONCE:
                yield _join(pieces, owners)
                pieces, owners, num_windows = [], [], 0
    if pieces:
        yield _join(pieces, owners)


def _join(pieces: list[np.ndarray], owners: list[int]) -> tuple[np.ndarray, int, np.ndarray]:
    from_first = np.array(owners) - owners[0]
    return np.concatenate(pieces), owners[0], np.repeat(from_first, [len(piece) for piece in pieces])


def _with_ends(document: bytes | np.ndarray, order: int) -> np.ndarray:
    text = np.frombuffer(document, dtype=np.uint8) if isinstance(document, bytes) else document
    ids = np.full(order - 1 + len(text) + 1, END, dtype=np.int64)
    ids[order - 1 : -1] = text
    return ids
