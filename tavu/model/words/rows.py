"""Sizes that the word model and the native engine share, without torch: above all how the rows of the byte table are divided."""

from dataclasses import dataclass

from tavu.config import WordPatchConfig

PHRASE_SALT = 32
NUM_HINTS = 2
"""Kinds of hints that the pointer weighs: see find_hints in repeats.py."""


@dataclass(frozen=True)
class RowRanges:
    """How the table that the local model reads is divided: a range of rows for word prefixes, one for each order of n-grams, and of phrases.

    Shapes: all (O,).
    """

    salts: list[int]
    """Added to hashes, so that the same ids have different rows as, say, a prefix and an n-gram."""
    masks: list[int]
    starts: list[int]
    num_rows: int


def row_ranges(config: WordPatchConfig) -> RowRanges:
    sizes = [config.prefix_rows, *(config.ngram_rows for _ in config.ngram_orders), *(config.phrase_rows for _ in config.phrase_orders)]
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    salts = [0, *config.ngram_orders, *(PHRASE_SALT + order for order in config.phrase_orders)]
    return RowRanges(salts, [size - 1 for size in sizes], starts, sum(sizes))
