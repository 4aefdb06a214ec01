"""Sizes that the model and the native engine share, without torch: above all how the rows of the table that the local model reads are shared out."""

from dataclasses import dataclass

from tavu.config import WordPatchConfig

_PHRASE = 32
NUM_HINTS = 2
"""What speaks for a word to come again: see find_hints in repeats.py."""


@dataclass(frozen=True)
class RowRanges:
    """How the table that the local model reads is shared out: rows for the beginnings of words, for each order of n-grams, and of phrases.

    Shapes: all (O,).
    """

    salts: list[int]
    """Told apart where the same ids are the one and the other."""
    masks: list[int]
    starts: list[int]
    num_rows: int


def row_ranges(config: WordPatchConfig) -> RowRanges:
    sizes = [config.prefix_rows, *(config.ngram_rows for _ in config.ngram_orders), *(config.phrase_rows for _ in config.phrase_orders)]
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    salts = [0, *config.ngram_orders, *(_PHRASE + order for order in config.phrase_orders)]
    return RowRanges(salts, [size - 1 for size in sizes], starts, sum(sizes))
