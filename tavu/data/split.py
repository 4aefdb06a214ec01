"""Which documents are train and which are valid, once all are known: by their digests and lengths alone.

Shapes: N documents, in the order they were read.
"""

import hashlib

import numpy as np

from tavu.data.formats import character_start

MAX_VALID_BYTES = 2_000_000
"""What the hash sets apart as valid, at most: more costs time at every evaluation and tells little more."""
FEW_VALID_BYTES = 10_000
"""Bits per byte of less text than this are off by several hundredths, by chance alone: too rough to tell one model from another."""
_MAX_SHARE = 4
"""Valid may take so many times the share that was asked for, and no more: else a long document is cut instead."""
_WORTH_CUTTING_BYTES = 1000


def document_digest(document: bytes) -> int:
    """64 bits of BLAKE2b: among ten million documents, two with one digest have a chance of 3 in a million."""
    return int.from_bytes(hashlib.blake2b(document, digest_size=8).digest(), "big")


def first_of_each(digests: np.ndarray) -> np.ndarray:
    """Indices, ascending, of the documents that are not a duplicate of one before."""
    return np.sort(np.unique(digests, return_index=True)[1])


def valid_by_hash(digests: np.ndarray, lengths: np.ndarray, valid_percent: float) -> np.ndarray | None:
    """valid (N,) bool for documents: those whose digest is among the lowest `valid_percent`, at least one, about MAX_VALID_BYTES at most.

    Taken in the order of their digests, so that documents that are added or dropped elsewhere never turn a train document into a
    valid one; a valid one becomes train only where the bytes would be too many, or where it was valid for want of another.
    None where that cannot be done well (one document, or few and long ones): then a document must be cut.
    """
    order = np.argsort(digests)
    order = order[lengths[order] <= MAX_VALID_BYTES]
    if len(digests) < 2 or not len(order):
        return None
    num_low = np.count_nonzero(digests[order] < np.uint64(valid_percent / 100 * 2.0**64))
    num_fitting = np.count_nonzero(np.cumsum(lengths[order]) <= MAX_VALID_BYTES)
    last = digests[order[max(1, min(num_low, num_fitting, len(digests) - 1)) - 1]]
    valid = (digests <= last) & (lengths <= MAX_VALID_BYTES)  # all that share a digest
    if valid.all():
        return None
    share = lengths[valid].sum() / lengths.sum()
    if share > _MAX_SHARE * valid_percent / 100 and lengths.max() >= _WORTH_CUTTING_BYTES:
        return None
    return valid


def num_bytes_to_cut(num_bytes: int, longest_bytes: int, valid_percent: float) -> int:
    """How much of the longest document is cut off for valid: the share of the whole corpus, at most half of it, at least a byte."""
    return max(1, min(round(num_bytes * valid_percent / 100), longest_bytes // 2, MAX_VALID_BYTES))


def place_to_split(document: bytes, num_valid_bytes: int) -> tuple[int, int]:
    """(end of the train part, start of the valid part) of a document: at a newline near, else between two characters.

    >>> place_to_split(b"One day.\\nTwo days.", 9), place_to_split(b"abcd", 1)
    ((8, 9), (3, 3))
    """
    target = len(document) - num_valid_bytes
    newline = document.rfind(b"\n", max(1, target - num_valid_bytes), target)
    if newline >= 0:
        return newline, newline + 1
    start = character_start(document, target)
    return start, start
