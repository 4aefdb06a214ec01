"""Measures of written text that need no judge: how varied it is, how much it repeats itself, how much of it is copied.

Words are runs of letters and digits, without case, so that any language will do; n-grams are of words.
"""

import re
import zlib
from collections.abc import Iterable, Sequence

import numpy as np

_WORD = re.compile(r"[^\W_]+")


def words_in_order(text: str) -> list[str]:
    """The words of a text as they come."""
    return [word.casefold() for word in _WORD.findall(text)]


def ngrams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """All runs of n words."""
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def distinct(texts: Sequence[Sequence[str]], n: int) -> float:
    """Of all runs of n words in texts, how many are different (Li et al. 2016, arXiv 1510.03055, section 4.2)."""
    every = [gram for words in texts for gram in ngrams(words, n)]
    return len(set(every)) / len(every) if every else 0.0


def repetition(words: Sequence[str], n: int = 4) -> float:
    """The share of a text's runs of n words that stood in it before."""
    every = ngrams(words, n)
    return 1 - len(set(every)) / len(every) if every else 0.0


def precision(words: Sequence[str], other: Sequence[str], n: int = 2) -> float:
    """Of a text's runs of n words, the share that another has too (Rouge-n precision, Lin 2004; Eldan and Li 2023, section 4.3)."""
    known = set(ngrams(other, n))
    every = ngrams(words, n)
    return sum(gram in known for gram in every) / len(every) if every else 0.0


class Seen:
    """Which runs of n words stand in a training corpus, by 64-bit hashes: a false find in ten thousand million."""

    def __init__(self, texts: Iterable[Sequence[str]], n: int):
        self.n = n
        hashes = [_hashes(words, n) for words in texts]
        self.known = np.unique(np.concatenate(hashes)) if hashes else np.zeros(0, dtype=np.uint64)

    def share(self, words: Sequence[str]) -> float:
        """Of a text's runs of n words, the share that the corpus has too."""
        found = self.found(words)
        return float(found.mean()) if len(found) else 0.0

    def found(self, words: Sequence[str]) -> np.ndarray:
        """For each run of n words of a text whether the corpus has it, bool."""
        return np.isin(_hashes(words, self.n), self.known)


def longest_copied(words: Sequence[str], seen: Seen) -> int:
    """How many words the longest run has that is copied from a corpus, told by runs of seen.n words all of which it has; 0: fewer than seen.n."""
    longest = run = 0
    for found in seen.found(words).tolist():
        run = run + 1 if found else 0
        longest = max(longest, run)
    return longest + seen.n - 1 if longest else 0


_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def _hashes(words: Sequence[str], n: int) -> np.ndarray:
    """A hash of each run of n words, uint64."""
    each = np.array([_hash(word) for word in words], dtype=np.uint64)
    if len(each) < n:
        return np.zeros(0, dtype=np.uint64)
    result = np.zeros(len(each) - n + 1, dtype=np.uint64)
    for i in range(n):
        result = (result ^ each[i : i + len(result)]) * _MULTIPLIER
        result ^= result >> np.uint64(29)
    return result


def _hash(word: str) -> int:
    encoded = word.encode(errors="surrogatepass")
    return zlib.crc32(encoded) << 32 | zlib.adler32(encoded)
