"""The tables that the word model reads instead of bytes: one embedder for the global model, one for the local model.

Shapes: B rows, K patches, D global width, L local width, O table rows read at each position.
"""

import torch
from torch import Tensor, nn

from tavu.config import WordPatchConfig
from tavu.model.layers import RowDropout
from tavu.model.words.hashing import bucket
from tavu.model.words.read import BEGIN
from tavu.model.words.rows import row_ranges

UNUSED = -1
"""The fingerprint of a row that belongs to no phrase."""


def table(num_rows: int, dim: int, std: float) -> nn.Embedding:
    """A table so large that a step reads few of its rows: its gradient is sparse, and so is its update."""
    embedding = nn.Embedding(num_rows, dim, sparse=True)
    nn.init.normal_(embedding.weight, std=std)
    return embedding


class WordEmbedder(nn.Module):
    """The global model's input at each patch, from the patches before it: a row for the last word, one for the last two, one for the last id."""

    known: Tensor
    """The hashes of words that have a row of their own, ascending, chosen in counts.py; the other words share the last rows."""

    def __init__(self, config: WordPatchConfig):
        super().__init__()
        dim = config.levels[0].dim
        self.words = table(config.word_rows, dim, std=0.5)
        self.pairs = table(config.pair_rows, dim, std=0.1) if config.pair_rows else None
        self.num_buckets = config.word_rows - config.num_known_words
        known = torch.full((config.num_known_words,), torch.iinfo(torch.int64).max)
        self.register_buffer("known", known)
        self.last_ids = nn.Embedding(BEGIN + 1, dim)
        self.dropout = RowDropout(0.0)
        nn.init.normal_(self.last_ids.weight, std=0.5)

    def forward(self, last_word: Tensor, pair_row: Tensor, last_id: Tensor) -> Tensor:  # all (B, K) -> (B, K, D)
        embedded = self.dropout(self.words(self.word_row(last_word))) + self.last_ids(last_id)
        return embedded if self.pairs is None else embedded + self.dropout(self.pairs(pair_row))

    def word_row(self, word: Tensor) -> Tensor:
        """The row of each word, by its hash."""
        place = torch.searchsorted(self.known, word).clamp(max=len(self.known) - 1)
        return torch.where(self.known[place] == word, place, len(self.known) + bucket(word, self.num_buckets))


class ByteEmbedder(nn.Module):
    """The local model's own input at each byte: a row for the last id, and the sum of those for the prefix, n-grams and phrases that end here."""

    phrase_fingerprints: Tensor | None
    """The fingerprint of the one phrase that each row of phrases belongs to, or UNUSED; chosen in counts.py. None without phrases."""

    def __init__(self, config: WordPatchConfig):
        super().__init__()
        dim = config.levels[1].dim
        ranges, num_orders = row_ranges(config), len(config.phrase_orders)
        self.last_ids = nn.Embedding(BEGIN + 1, dim)
        self.hashed = table(ranges.num_rows, dim, std=0.1)
        self.dropout = RowDropout(0.0)
        nn.init.normal_(self.last_ids.weight, std=0.5)
        self.unknown = ranges.starts[len(ranges.starts) - num_orders :]
        """For each order, the row shared by all phrases without a row of their own."""
        fingerprints = torch.full((num_orders * config.phrase_rows,), UNUSED, dtype=torch.int32) if num_orders else None
        self.register_buffer("phrase_fingerprints", fingerprints)

    def forward(self, last_id: Tensor, rows: Tensor, fingerprints: Tensor) -> Tensor:  # (..., ), (..., O), (..., O) -> (..., L)
        return self.last_ids(last_id) + self.dropout(self.hashed(self.known_rows(rows, fingerprints))).sum(-2)

    def known_rows(self, rows: Tensor, fingerprints: Tensor) -> Tensor:
        """The rows, with the unknown row in place of those of unknown phrases. Shapes: all (..., O).

        Without fingerprints, a phrase that training never saw would read the row that another phrase trained.
        """
        if self.phrase_fingerprints is None:
            return rows
        others, phrases = rows.split((rows.size(-1) - len(self.unknown), len(self.unknown)), dim=-1)
        is_known = self.phrase_fingerprints[phrases - self.unknown[0]] == fingerprints[..., -len(self.unknown) :]
        return torch.cat((others, torch.where(is_known, phrases, torch.tensor(self.unknown, device=rows.device))), dim=-1)
