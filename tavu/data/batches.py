"""Corpus -> training rows. The ids of a step are a pure function of seed and step, so resuming needs no state.

A row starts at the END before a document and continues through the following documents until it is full; the first document follows the last.
A document longer than a row gets more rows, each starting where the previous one ended, so every byte is covered. An epoch visits every row
start once, in its own shuffled order.

Shapes: T = seq_len ids in a row, S row starts.
"""

import numpy as np

from tavu.data.documents import DocumentFile
from tavu.errors import TavuError

_MIN_CONTEXT = 8
"""The shortest context that every model accepts: the error does not suggest a shorter one."""
_NUM_ROUNDS = 4
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
"""The multipliers of splitmix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators", figure 16)."""


class Batches:
    """The batches of a training run, by step."""

    def __init__(self, documents: DocumentFile, *, seq_len: int, rows: int, seed: int, rank: int = 0, num_ranks: int = 1) -> None:
        """Every num_ranks-th row of each batch, from row `rank` on, for one of several processes that share the rows."""
        # Documents wrap around: the last END is the first one, so the ring is one id shorter than the file.
        self._ring = documents.num_ids - 1
        if self._ring < seq_len:
            shorter = f", or a shorter context: --set model.max_seq_len={_power_of_two_up_to(self._ring)}" if self._ring >= _MIN_CONTEXT else "."
            raise TavuError(
                f"The corpus holds {documents.num_bytes:,} bytes to train on, expected at least one row of {seq_len:,}. Give more text{shorter}"
            )
        self._documents = documents
        self._seq_len = seq_len
        self._rows = rows
        self._seed = seed
        self._own = slice(rank, None, num_ranks)
        # In place, since there may be ten million documents: ids of each document -> its rows -> cumulative rows.
        rows_up_to = np.diff(documents.offsets)
        rows_up_to += np.uint64(seq_len - 1)
        rows_up_to //= np.uint64(seq_len)
        np.cumsum(rows_up_to, out=rows_up_to)
        self._rows_up_to = rows_up_to

    @property
    def num_bytes(self) -> int:
        """Total bytes of the documents."""
        return self._documents.num_bytes

    @property
    def num_ids(self) -> int:
        """The ids of a whole batch, whoever reads its rows."""
        return self._rows * self._seq_len

    @property
    def num_starts(self) -> int:
        """S, the number of rows in an epoch."""
        return int(self._rows_up_to[-1])

    def batch(self, step: int) -> np.ndarray:
        """ids (rows, T) int64 of a step; the first step is 0."""
        return np.stack([self._row(int(start)) for start in self.row_starts(step)])

    def row_starts(self, step: int) -> np.ndarray:
        """The positions (rows,) uint64 at which the rows of a step start."""
        positions = np.arange(step * self._rows, (step + 1) * self._rows, dtype=np.uint64)[self._own]
        epochs, places = np.divmod(positions, np.uint64(self.num_starts))
        numbers = np.concatenate([shuffled(places[epochs == epoch], self.num_starts, (self._seed, int(epoch))) for epoch in np.unique(epochs)])
        return self._starts(numbers)

    def _starts(self, numbers: np.ndarray) -> np.ndarray:
        """The start positions of rows, given their numbers (below S)."""
        documents = np.searchsorted(self._rows_up_to, numbers, side="right")
        rows_before = np.where(documents > 0, self._rows_up_to[documents - 1], np.uint64(0))
        return self._documents.offsets[documents] + (numbers - rows_before) * np.uint64(self._seq_len)

    def _row(self, start: int) -> np.ndarray:
        num_left = self._ring - start
        if num_left >= self._seq_len:
            return self._documents.ids(start, self._seq_len)
        return np.concatenate([self._documents.ids(start, num_left), self._documents.ids(0, self._seq_len - num_left)])


def shuffled(places: np.ndarray, num: int, key: tuple[int, int]) -> np.ndarray:
    """Where the permutation of range(num) that `key` selects maps these places; nothing is stored. uint64 in and out.

    A Feistel network over the next power of two (Luby and Rackoff 1988), applied until the value is below num (Black and Rogaway 2002).

    >>> sorted(shuffled(np.arange(5, dtype=np.uint64), 5, (0, 0)).tolist())
    [0, 1, 2, 3, 4]
    """
    low_bits = np.uint64(max(1, (num - 1).bit_length() // 2))
    high_bits = np.uint64(max(1, (num - 1).bit_length() - int(low_bits)))
    round_keys = np.random.SeedSequence(key).generate_state(_NUM_ROUNDS, np.uint64)
    result = places.copy()
    walking = np.arange(len(places))
    while len(walking):
        result[walking] = _feistel(result[walking], low_bits, high_bits, round_keys)
        walking = walking[result[walking] >= num]
    return result


def _feistel(values: np.ndarray, low_bits: np.uint64, high_bits: np.uint64, round_keys: np.ndarray) -> np.ndarray:
    one = np.uint64(1)
    low, high = values & ((one << low_bits) - one), values >> low_bits
    for index, key in enumerate(round_keys):
        if index % 2:
            low ^= _mixed(high + key) >> (np.uint64(64) - low_bits)
        else:
            high ^= _mixed(low + key) >> (np.uint64(64) - high_bits)
    return high << low_bits | low


def _mixed(values: np.ndarray) -> np.ndarray:
    values = (values ^ (values >> np.uint64(30))) * _MIX[0]
    values = (values ^ (values >> np.uint64(27))) * _MIX[1]
    return values ^ (values >> np.uint64(31))


def _power_of_two_up_to(number: int) -> int:
    return 1 << (number.bit_length() - 1)
