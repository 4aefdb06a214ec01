"""The word model: MEGABYTE's two levels over patches that begin where words begin, with hashed tables in place of byte-by-byte reading.

Shapes: B batch, T bytes, K patches of the longest row, D global width, L local width, V ids.
Alignment: logits[:, t] is the distribution of ids[:, t] given ids[:, :t]; the shifts live in patching.py, which reads only what comes before.

    ids (B, T) -> words (B, K) -> global transformer (B, K, D) -> context (B, T, L) -> local MLPs, byte by byte -> logits (B, T, V)

How it differs from the paper is told in DIFFERS_FROM_PAPER.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tavu.config import WordPatchConfig
from tavu.model.patching import BEGIN, WordReader, read_words, row_ranges
from tavu.model.transformer import MLP, Linear, Transformer, norm, soft_cap
from tavu.vocabulary import NUM_IDS

DIFFERS_FROM_PAPER = """\
Two levels, as MEGABYTE (Yu et al. 2023, arXiv 2305.07185), a global model over patches and a local model over the bytes of one patch. Differs:
- a patch is a word, not a fixed number of bytes (SpaceByte, Slagle 2024, arXiv 2404.14408);
- the global model reads a patch as one table row named by the hash of the whole word, one by the hash of the last two words, and its last byte
  (hashed n-grams: Pagnoni et al. 2024, arXiv 2412.09871, section 3.2.1), instead of the concatenation of its bytes;
- all bytes of a patch hear the same global output, through one matrix, added to and multiplied with what the local model reads itself;
- the local model has no attention: the hash of the word so far names everything that it could attend to within its patch;
- the blocks are today's: layer norms without parameters, rotary positions, normalized queries and keys, squared ReLU, no biases, no dropout;
- the head is not tied, and logits are bent to stay within +-15; END, a 257th id, starts and ends every document;
- trained with Muon, AdamW and row-wise Adam (paper: Adam).
What each is worth is measured in records/LOG.md."""


def table(num_rows: int, dim: int, std: float) -> nn.Embedding:
    """A table so large that a step touches few of its rows: its gradient is sparse, and so is its update."""
    embedding = nn.Embedding(num_rows, dim, sparse=True)
    nn.init.normal_(embedding.weight, std=std)
    return embedding


class WordEmbedder(nn.Module):
    """The global model's input at each patch, from the patches before it: a row for the last word, one for the last two, one for the last id."""

    def __init__(self, config: WordPatchConfig):
        super().__init__()
        dim = config.levels[0].dim
        self.words = table(config.word_rows, dim, std=0.5)
        self.pairs = table(config.word_rows, dim, std=0.1)
        self.last_ids = nn.Embedding(BEGIN + 1, dim)
        nn.init.normal_(self.last_ids.weight, std=0.5)

    def forward(self, word_row: Tensor, pair_row: Tensor, last_id: Tensor) -> Tensor:  # all (B, K) -> (B, K, D)
        return self.words(word_row) + self.pairs(pair_row) + self.last_ids(last_id)


class ByteEmbedder(nn.Module):
    """The local model's own input at each byte: a row for the last id, and rows for the word so far and the last n ids of each order."""

    def __init__(self, config: WordPatchConfig):
        super().__init__()
        dim = config.levels[1].dim
        self.last_ids = nn.Embedding(BEGIN + 1, dim)
        self.hashed = table(row_ranges(config).num_rows, dim, std=0.1)
        nn.init.normal_(self.last_ids.weight, std=0.5)

    def forward(self, last_id: Tensor, rows: Tensor) -> Tensor:  # (B, T), (B, T, 1 + O) -> (B, T, L)
        return self.last_ids(last_id) + self.hashed(rows).sum(-2)


class LocalModel(nn.Module):
    """From the context of its patch and what was read of it so far to the logits of each byte, without attention."""

    def __init__(self, config: WordPatchConfig):
        super().__init__()
        level = config.levels[1]
        self.mlps = nn.ModuleList(MLP(level) for _ in range(level.num_layers))
        self.head = Linear(level.dim, NUM_IDS, zero=True)

    def forward(self, own: Tensor, context: Tensor) -> Tensor:  # (..., L), (..., L) -> (..., V) float32
        x = norm(own + context + norm(own) * norm(context))
        for mlp in self.mlps:
            x = x + mlp(norm(x))
        return soft_cap(self.head(norm(x)))


class WordCache:
    """All that a step needs of the ids before it."""

    def __init__(self, model: "WordModel", rows: int, dtype: torch.dtype):
        device = model.global_to_local.weight.device
        self.reader = WordReader(model.config, rows)
        self.key_values = model.global_model.empty_cache(rows, dtype, device)
        self.context = torch.zeros(rows, model.config.levels[1].dim, dtype=dtype, device=device)
        """What the bytes of the current patch hear from the global model, (B, L)."""


class WordModel(nn.Module):
    """ids (B, T) -> logits (B, T, V), through a global model over words and a local model of each byte."""

    differs_from_paper = DIFFERS_FROM_PAPER

    def __init__(self, config: WordPatchConfig):
        super().__init__()
        self.config = config
        self.word_embedder = WordEmbedder(config)
        self.global_model = Transformer(config.levels[0], config.max_seq_len + 1)
        self.global_to_local = Linear(config.levels[0].dim, config.levels[1].dim)
        self.byte_embedder = ByteEmbedder(config)
        self.local_model = LocalModel(config)

    def forward(self, ids: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:  # (B, T) -> (B, T, V)
        words = read_words(ids, self.config)
        global_in = self.word_embedder(words.word_row, words.pair_row, words.last_id)  # (B, K, D)
        global_out = self.global_model(norm(global_in.to(dtype)))  # (B, K, D)
        by_patch = self.global_to_local(norm(global_out))  # (B, K, L)
        context = self.spread(by_patch, words.patch)  # (B, T, L)
        previous = F.pad(ids[:, :-1], (1, 0), value=BEGIN)
        own = self.byte_embedder(previous, words.byte_rows)  # (B, T, L)
        return self.local_model(own.to(dtype), context)  # (B, T, V)

    def spread(self, by_patch: Tensor, patch: Tensor) -> Tensor:
        """To every byte what belongs to its patch. Shapes: by_patch (B, K, L), patch (B, T), result (B, T, L)."""
        B, K, L = by_patch.shape
        flat = patch + K * torch.arange(B, device=patch.device)[:, None]
        return by_patch.reshape(B * K, L).index_select(0, flat.flatten()).view(B, -1, L)

    def empty_cache(self, rows: int, dtype: torch.dtype = torch.float32) -> WordCache:
        return WordCache(self, rows, dtype)

    def prefill(self, ids: Tensor, cache: WordCache) -> Tensor:  # (B, t) -> (B, V)
        """The logits of the byte after the first t < max_seq_len ids of each row, which are read into an empty cache."""
        words = read_words(F.pad(ids, (0, 1)), self.config)  # the last position is the one to predict
        global_in = self.word_embedder(words.word_row, words.pair_row, words.last_id)
        global_out = self.global_model.prefill(norm(global_in.to(cache.key_values.dtype)), cache.key_values)
        current = words.patch[:, -1]
        cache.key_values.lengths = (current + 1).tolist()
        cache.context = self.global_to_local(norm(global_out[torch.arange(len(ids), device=ids.device), current]))
        for new in ids.cpu().numpy().T:
            cache.reader.feed(new)
        return self.local_logits(cache)

    def step(self, new: Tensor, cache: WordCache) -> Tensor:  # (B,) -> (B, V)
        """The logits of the next byte, after one more id of each row."""
        cache.reader.feed(new.cpu().numpy())
        rows = np.flatnonzero(cache.reader.begins).tolist()
        if rows:
            self.global_step(cache, rows)
        return self.local_logits(cache)

    def global_step(self, cache: WordCache, rows: list[int]) -> None:
        """The global model's step for the rows in which a patch begins."""
        device = cache.context.device
        inputs = (torch.from_numpy(x[rows]).to(device) for x in cache.reader.patch_rows())
        x = norm(self.word_embedder(*inputs).to(cache.context.dtype))[:, None]
        alone = len(cache.reader.begins) == 1
        out = self.global_model.step(x, cache.key_values, rows=None if alone else rows)
        cache.context[rows] = self.global_to_local(norm(out))[:, 0]

    def local_logits(self, cache: WordCache) -> Tensor:
        device = cache.context.device
        inputs = (torch.from_numpy(x).to(device) for x in (cache.reader.last_id, cache.reader.byte_rows()))
        return self.local_model(self.byte_embedder(*inputs).to(cache.context.dtype), cache.context)

    def places_in_patch(self, ids: Tensor) -> Tensor:
        """How many bytes of its patch come before each position, (B, T)."""
        words = read_words(ids, self.config)
        return torch.arange(ids.size(1), device=ids.device) - words.first.gather(1, words.patch)
