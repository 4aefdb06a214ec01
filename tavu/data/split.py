"""The train/valid split of all documents, from their digests and lengths alone.

Shapes: N documents, in the order they were read.
"""

import hashlib

import numpy as np

from tavu.data.formats import character_start

MAX_VALID_BYTES = 2_000_000
"""Maximum size of valid without valid sources: more text costs time at every evaluation and hardly improves the measurement."""
FEW_VALID_BYTES = 10_000
"""On less text than this, the sampling error of bits per byte is several hundredths, too large to compare models."""
_MAX_SHARE = 4
"""Valid may be at most this many times the requested share; otherwise a long document is cut instead."""
_WORTH_CUTTING_BYTES = 1000


def document_digest(document: bytes) -> int:
    """64 bits of BLAKE2b: the probability of any collision among ten million documents is 3 in a million."""
    return int.from_bytes(hashlib.blake2b(document, digest_size=8).digest(), "big")


def first_of_each(digests: np.ndarray) -> np.ndarray:
    """Indices, ascending, of the documents that do not duplicate an earlier one."""
    return np.sort(np.unique(digests, return_index=True)[1])


def valid_by_hash(digests: np.ndarray, lengths: np.ndarray, valid_percent: float) -> np.ndarray | None:
    """valid (N,) bool: the documents whose digest is in the lowest `valid_percent`; at least one, at most about MAX_VALID_BYTES.

    They are taken in the order of their digests, so adding or removing documents never moves a document from train to valid. A valid document
    moves to train only if valid would get too large, or if it was valid only because there was no other.
    None if this gives no good split (one document, or few long ones): a document must then be cut.
    """
    order = np.argsort(digests)
    order = order[lengths[order] <= MAX_VALID_BYTES]
    if len(digests) < 2 or not len(order):
        return None
    num_low = np.count_nonzero(digests[order] < np.uint64(valid_percent / 100 * 2.0**64))
    num_fitting = np.count_nonzero(np.cumsum(lengths[order]) <= MAX_VALID_BYTES)
    last = digests[order[max(1, min(num_low, num_fitting, len(digests) - 1)) - 1]]
    valid = (digests <= last) & (lengths <= MAX_VALID_BYTES)  # all documents with the same digest
    if valid.all():
        return None
    share = lengths[valid].sum() / lengths.sum()
    if share > _MAX_SHARE * valid_percent / 100 and lengths.max() >= _WORTH_CUTTING_BYTES:
        return None
    return valid


def num_bytes_to_cut(num_bytes: int, longest_bytes: int, valid_percent: float) -> int:
    """Bytes to cut from the longest document for valid: valid_percent of the corpus, at most half the document, at least one byte."""
    return max(1, min(round(num_bytes * valid_percent / 100), longest_bytes // 2, MAX_VALID_BYTES))


def place_to_split(document: bytes, num_valid_bytes: int) -> tuple[int, int]:
    """(end of the train part, start of the valid part) of a document: at a nearby newline, else between two characters.

    >>> place_to_split(b"One day.\\nTwo days.", 9), place_to_split(b"abcd", 1)
    ((8, 9), (3, 3))
    """
    target = len(document) - num_valid_bytes
    newline = document.rfind(b"\n", max(1, target - num_valid_bytes), target)
    if newline >= 0:
        return newline, newline + 1
    start = character_start(document, target)
    return start, start
