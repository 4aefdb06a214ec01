"""Measures of generated text: diversity, repetition and copying.

Words are runs of letters and digits, case-folded, so that this works for most languages. N-grams are n-grams of words.
"""

import re
import zlib
from collections.abc import Iterable, Sequence

import numpy as np

_WORD = re.compile(r"[^\W_]+")


def words_in_order(text: str) -> list[str]:
    """The words of a text in order."""
    return [word.casefold() for word in _WORD.findall(text)]


def ngrams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """All n-grams of words."""
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def distinct(texts: Sequence[Sequence[str]], n: int) -> float:
    """The fraction of distinct n-grams among all n-grams of the texts (Li et al. 2016, arXiv 1510.03055, section 4.2)."""
    every = [gram for words in texts for gram in ngrams(words, n)]
    return len(set(every)) / len(every) if every else 0.0


def repetition(words: Sequence[str], n: int = 4) -> float:
    """The fraction of a text's n-grams that occurred earlier in it."""
    every = ngrams(words, n)
    return 1 - len(set(every)) / len(every) if every else 0.0


def precision(words: Sequence[str], other: Sequence[str], n: int = 2) -> float:
    """The fraction of a text's n-grams that another text has too (ROUGE-n precision, Lin 2004; Eldan and Li 2023, section 4.3)."""
    known = set(ngrams(other, n))
    every = ngrams(words, n)
    return sum(gram in known for gram in every) / len(every) if every else 0.0


class CorpusNgrams:
    """The set of n-grams of a training corpus, as 64-bit hashes. About one lookup in 10**10 is a false positive."""

    def __init__(self, texts: Iterable[Sequence[str]], n: int):
        self.n = n
        hashes = [_hashes(words, n) for words in texts]
        self.known = np.unique(np.concatenate(hashes)) if hashes else np.zeros(0, dtype=np.uint64)

    def share(self, words: Sequence[str]) -> float:
        """The fraction of a text's n-grams that the corpus has too."""
        found = self.found(words)
        return float(found.mean()) if len(found) else 0.0

    def found(self, words: Sequence[str]) -> np.ndarray:
        """For each n-gram of a text whether the corpus has it, bool."""
        return np.isin(_hashes(words, self.n), self.known)


def longest_copied(words: Sequence[str], seen: CorpusNgrams) -> int:
    """The length in words of the longest copied passage: consecutive n-grams that all occur in the corpus. 0 if shorter than seen.n words."""
    longest = run = 0
    for found in seen.found(words).tolist():
        run = run + 1 if found else 0
        longest = max(longest, run)
    return longest + seen.n - 1 if longest else 0


_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def _hashes(words: Sequence[str], n: int) -> np.ndarray:
    """A hash of each n-gram, uint64."""
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
