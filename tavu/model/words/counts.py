"""Tables initialized from n-gram counts of the training text, taken in one pass before the first step.

A subword model is given its vocabulary, which is counted from all of the text; a byte model that must find words by gradient descent starts far
behind. So each row that the local model reads is initialized to the log ratio between the frequency of each id after what the row stands for and its
frequency anywhere, and each row that the global model reads to a word vector, factorized from which word follows which (Levy and Goldberg 2014,
"Neural word embedding as implicit matrix factorization"). The gain is in records/LOG.md.

Shapes: N rows of text, T positions; R rows of a table, U ids that occur, V ids, D width of a table.
"""

import math
import warnings
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tavu.data.documents import DocumentFile
from tavu.model.words.embedders import UNUSED
from tavu.model.words.lexicon import Lexicon
from tavu.model.words.model import WordModel
from tavu.model.words.read import NUM_FINGERPRINTS, WordFeatures, word_features
from tavu.model.words.rows import row_ranges
from tavu.vocabulary import END, NUM_IDS

ROW_IDS, ROWS_AT_ONCE = 2048, 64
SMOOTHING = 2.0
"""Pseudo-counts added to each row, distributed as ids are in the whole text."""
SCALE = {"bytes": 0.4, "words": 0.5, "pairs": 0.25}
"""The root mean square of each table's values."""
NOISE = 0.02
NEVER = -30.0
"""The log frequency of an unused row of the lexicon."""
POWER_ITERATIONS, EXTRA_DIRECTIONS = 2, 16


@torch.no_grad()
def initialize_from_counts(model: WordModel, documents: DocumentFile, max_bytes: int, min_word_count: int = 2) -> None:
    """Set the tables of a new model, and the head that reads them, from at most about max_bytes of documents, taken evenly from first to last.

    Draws from torch's default generator.
    """
    used = torch.zeros(NUM_IDS, dtype=torch.bool)
    phrases, words, spellings = [], [], Counter[bytes]()
    for ids, features in _texts(model, documents, max_bytes):
        used[ids.flatten()] = True
        words.append(_followed(features))
        if model.lexicon is not None:
            spellings.update(_spellings(ids, features))
        if model.config.phrase_orders:
            phrases.append(_phrases(model, features))
    _initialize_word_tables(model, *map(torch.cat, zip(*words, strict=True)))
    if phrases:
        _choose_phrases(model, *map(torch.cat, zip(*phrases, strict=True)))
    _initialize_byte_tables(model, used, _texts(model, documents, max_bytes))
    if model.lexicon is not None:
        _initialize_lexicon(model.lexicon, spellings, min_word_count)
        model.local_model.head.weight.mul_(1 - float(model.lexicon.strength))  # at first the two give the same scores


def _texts(model: WordModel, documents: DocumentFile, max_bytes: int) -> Iterator[tuple[Tensor, WordFeatures]]:
    """ids (N, T) of some of the text, a few rows at a time, and their features."""
    length = min(ROW_IDS, documents.num_ids)
    num_rows = max(1, min(documents.num_ids, max_bytes) // length)
    starts = np.linspace(0, documents.num_ids - length, num_rows).astype(np.int64).tolist()
    for i in range(0, num_rows, ROWS_AT_ONCE):
        ids = torch.from_numpy(np.stack([documents.ids(start, length) for start in starts[i : i + ROWS_AT_ONCE]]))
        yield ids, word_features(ids, model.config)


def _spellings(ids: Tensor, features: WordFeatures) -> Iterator[bytes]:
    """The bytes of each whole patch without an END."""
    is_end = (ids == END).tolist()
    num_patches = (features.patch[:, -1] + 1).tolist()
    for row, ends, starts, num in zip(ids.to(torch.uint8).numpy(), is_end, features.start.tolist(), num_patches, strict=True):
        content = row.tobytes()
        yield from (content[start:stop] for start, stop in pairwise(starts[:num]) if not (ends[start] or ends[stop - 1]))


def _initialize_lexicon(lexicon: Lexicon, spellings: Counter[bytes], min_count: int) -> None:
    """The most common words, each as probable as it is frequent."""
    words = sorted((word, count) for word, count in spellings.most_common(len(lexicon.bias)) if count >= min_count)
    lexicon.bias.fill_(NEVER)
    for i, (word, count) in enumerate(words):
        lexicon.spellings[i, : len(word)] = torch.tensor(list(word), dtype=torch.uint8)
        lexicon.lengths[i] = len(word)
        lexicon.bias[i] = math.log(count / spellings.total())
    lexicon.build_tree()


def _phrases(model: WordModel, features: WordFeatures) -> tuple[Tensor, Tensor]:
    """The different phrases, each as one number for its row and fingerprint, and the count of each."""
    num_orders = len(model.config.phrase_orders)
    rows, fingerprints = features.byte_rows[..., -num_orders:] - model.byte_embedder.unknown[0], features.byte_fingerprints[..., -num_orders:]
    return torch.unique(rows * NUM_FINGERPRINTS + fingerprints, return_counts=True)


def _choose_phrases(model: WordModel, phrases: Tensor, counts: Tensor) -> None:
    """Give each row to the most frequent of the phrases that share it, if that occurs at least twice."""
    embedder = model.byte_embedder
    assert embedder.phrase_fingerprints is not None
    phrase, place = torch.unique(phrases, return_inverse=True)
    count = torch.zeros_like(phrase).index_add_(0, place, counts)
    by_count = phrase[count > 1][count[count > 1].argsort(stable=True)]
    best = torch.zeros(len(embedder.phrase_fingerprints), dtype=torch.long)  # of each row, the place in by_count, from 1
    best.scatter_reduce_(0, by_count // NUM_FINGERPRINTS, torch.arange(1, len(by_count) + 1), "amax")
    embedder.phrase_fingerprints[best > 0] = (by_count[best[best > 0] - 1] % NUM_FINGERPRINTS).int()
    embedder.phrase_fingerprints[[row - embedder.unknown[0] for row in embedder.unknown]] = UNUSED


def _initialize_byte_tables(model: WordModel, used: Tensor, texts: Iterator[tuple[Tensor, WordFeatures]]) -> None:
    """Log ratios, projected to the directions in which they vary most; the head projects back to ids. `used` (V,): the ids that occur."""
    num_rows, num_used = row_ranges(model.config).num_rows, int(used.sum())
    column = used.cumsum(0) - 1
    counts = torch.zeros(num_rows * num_used)
    for ids, features in texts:
        rows = model.byte_embedder.known_rows(features.byte_rows, features.byte_fingerprints)
        places = (rows * num_used + column[ids][..., None]).flatten()
        counts.index_add_(0, places, torch.ones(len(places)))
    counts = counts.view(num_rows, num_used)
    for unknown in model.byte_embedder.unknown:
        counts[unknown] = 0

    usual = counts[: model.config.prefix_rows].sum(0)
    usual /= usual.sum()
    counts.sub_(1).clamp_(min=0)  # an id that followed once says little, and is what training is about to see
    seen = counts.sum(1, keepdim=True)  # (R, 1)
    ratios = counts.add_(SMOOTHING * usual).div_(seen + SMOOTHING).div_(usual).log_()  # (R, U), in the memory of the counts; 0 in rows never read
    ratios *= seen / (seen + 1)
    ratios[: model.config.prefix_rows] += usual.log()  # each position reads one of these
    ratios -= ratios.mean(1, keepdim=True)
    directions = _main_directions(ratios * seen.sqrt(), model.byte_embedder.hashed.weight.size(1))  # (U, D)
    rows = ratios @ directions

    table, head = model.byte_embedder.hashed.weight, model.local_model.head.weight
    prefixes = slice(model.config.prefix_rows)
    head[used] = directions * _root_mean_square(rows[prefixes], seen[prefixes])  # logits as far apart as the log frequencies
    table.copy_(rows.mul_(SCALE["bytes"] / _root_mean_square(rows, seen)))
    table.add_(torch.randn(table.shape), alpha=NOISE)
    model.byte_embedder.last_ids.weight.mul_(0.2)
    model.global_to_local.weight.mul_(0.3)


def _main_directions(rows: Tensor, dim: int) -> Tensor:
    """The dim directions of largest variance of rows (R, U): (U, dim) with orthonormal columns, and columns of 0 where dim is more than U."""
    directions = torch.linalg.eigh(rows.T @ rows).eigenvectors[:, -dim:]
    return F.pad(directions, (0, dim - directions.size(1)))


def _followed(features: WordFeatures) -> tuple[Tensor, Tensor, Tensor]:
    """For each word with a successor: its hash, the row of its pair with the word before, and the hash of the successor."""
    is_followed = features.start[:, 1:] < features.patch.size(1)  # the features of patch k are of the word before it
    return features.last_word[:, :-1][is_followed], features.pair_row[:, :-1][is_followed], features.last_word[:, 1:][is_followed]


def _initialize_word_tables(model: WordModel, words: Tensor, pairs: Tensor, following: Tensor) -> None:
    """Give the most common words rows of their own with word vectors, and each row of pairs the mean vector of the words that follow."""
    embedder = model.word_embedder
    word, count = torch.unique(words, return_counts=True)
    most_common = word[count.argsort(descending=True, stable=True)[: len(embedder.known)]].sort().values
    embedder.known[: len(most_common)] = most_common
    words, following = embedder.word_row(words), embedder.word_row(following)
    after_word, word_seen = _information(words, following, embedder.words)
    dim = embedder.words.weight.size(1)
    directions, sizes = _factorized(after_word, dim)  # (R, D), (D,)
    tables = [(embedder.words.weight, after_word, word_seen, SCALE["words"])]
    if embedder.pairs is not None:
        tables.append((embedder.pairs.weight, *_information(pairs, following, embedder.pairs, embedder.words), SCALE["pairs"]))
    for table, information, seen, scale in tables:
        rows = information @ directions / sizes.sqrt() * (seen / (seen + SMOOTHING))
        rows = F.pad(rows, (0, dim - rows.size(1)))
        table.copy_(rows * (scale / _root_mean_square(rows, (seen > 0).float())) + NOISE * torch.randn(table.shape))
    embedder.last_ids.weight.mul_(0.5)


def _information(rows: Tensor, following: Tensor, table: nn.Embedding, words: nn.Embedding | None = None) -> tuple[Tensor, Tensor]:
    """Positive pointwise mutual information of each row of a table and the row of words (the same table, or another) that follows, sparse (R, W).

    Also how often each row was seen, (R, 1).
    """
    num_rows, num_words = table.num_embeddings, (words or table).num_embeddings
    kinds, counts = torch.unique(rows * num_words + following, return_counts=True)
    row, follower, counts = kinds // num_words, kinds % num_words, counts.float()
    seen = torch.zeros(num_rows).index_add_(0, row, counts)
    seen_following = torch.zeros(num_words).index_add_(0, follower, counts)
    values = (counts * counts.sum() / (seen[row] * seen_following[follower])).log().clamp(min=0)
    return torch.sparse_coo_tensor(torch.stack((row, follower)), values, (num_rows, num_words), check_invariants=True), seen[:, None]


def _factorized(matrix: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """The first right singular vectors (R, dim) and values (dim,) of a sparse (R, R), by subspace iteration (Halko et al. 2011, algorithm 4.4)."""
    num_directions = min(dim + EXTRA_DIRECTIONS, matrix.size(1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CSR is in beta in torch; its products take a fifth of the time of COO's
        by_rows, by_columns = matrix.to_sparse_csr(), matrix.t().to_sparse_csr()
    basis = torch.randn(matrix.size(1), num_directions)
    for _ in range(POWER_ITERATIONS + 1):
        basis = torch.linalg.qr(by_columns @ torch.linalg.qr(by_rows @ basis).Q).Q
    _, values, right = torch.linalg.svd(by_rows @ basis, full_matrices=False)
    return (basis @ right.T)[:, :dim], values[:dim].clamp(min=1e-6)


def _root_mean_square(rows: Tensor, weights: Tensor) -> Tensor:
    """The root mean square of rows (R, D), weighted (R, 1)."""
    return ((rows.square().mean(1, keepdim=True) * weights).sum() / weights.sum().clamp(min=1)).sqrt().clamp(min=1e-6)
