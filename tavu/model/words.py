"""The word model: MEGABYTE's two levels over patches that begin where words begin, with hashed tables in place of byte-by-byte reading.

Shapes: B batch, T bytes, K patches of the longest row, D global width, L local width, O names of a position, V ids, W words of the lexicon.
Alignment: logits[:, t] is the distribution of ids[:, t] given ids[:, :t]; the shifts live in patching.py, which reads only what comes before.

    ids (B, T) -> words (B, K) -> global transformer (B, K, D) -> context (B, T, L) -> local MLPs, byte by byte -> logits (B, T, V)

How it differs from the paper is told in DIFFERS_FROM_PAPER.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tavu.config import WordPatchConfig
from tavu.model.lexicon import Lexicon
from tavu.model.patching import BEGIN, WordReader, bucket, read_words
from tavu.model.pointer import Pointer
from tavu.model.repeats import Repeats, find_hints, find_repeats
from tavu.model.rows import row_ranges
from tavu.model.transformer import FIRST_ROOM, MLP, Linear, RowDropout, Transformer, norm, soft_cap
from tavu.vocabulary import NUM_IDS

DIFFERS_FROM_PAPER = """\
Two levels, as MEGABYTE (Yu et al. 2023, arXiv 2305.07185), a global model over patches and a local model over the bytes of one patch. Differs:
- a patch is a word, not a fixed number of bytes (SpaceByte, Slagle 2024, arXiv 2404.14408);
- the global model reads a patch as one table row for the word, its letters alone, one named by the hash of the last two words, and its last byte
  (hashed n-grams: Pagnoni et al. 2024, arXiv 2412.09871, section 3.2.1), instead of the concatenation of its bytes;
- all bytes of a patch hear the same global output, through one matrix, added to and multiplied with what the local model reads itself;
- the local model has no attention: the hash of the word so far names everything that it could attend to within its patch; it also reads rows named
  by the last n bytes, and by phrases, the word so far together with the last words;
- common words are also scored against the global output, as a subword model scores its tokens, and each byte hears its share of that;
- so are the words of the context, whichever they are, by a pointer (Vinyals et al. 2015, arXiv 1506.03134), which is told which of them stood after
  the word just written before, and which were asked for and are not yet written;
- tables begin from what counting the training text tells, not at random, and rows of phrases belong to those that the text repeats;
- the blocks are today's: layer norms without parameters, rotary positions, normalized queries and keys, squared ReLU, no biases, no dropout;
- the head is not tied, and logits are bent to stay within +-15; END, a 257th id, starts and ends every document;
- trained with Muon, AdamW and row-wise Adam (paper: Adam).
What each is worth is measured in records/LOG.md."""


NOBODY = -1


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
        self.pairs = table(config.pair_rows, dim, std=0.1) if config.pair_rows else None
        self.num_buckets = config.word_rows - config.num_known_words
        known = torch.full((config.num_known_words,), torch.iinfo(torch.int64).max)
        self.register_buffer("known", known)
        """The hashes of words that have a row of their own, ascending; the others share the last rows. training/counting.py decides it."""
        self.last_ids = nn.Embedding(BEGIN + 1, dim)
        self.dropout = RowDropout(0.0)
        nn.init.normal_(self.last_ids.weight, std=0.5)

    def forward(self, word: Tensor, pair_row: Tensor, last_id: Tensor) -> Tensor:  # all (B, K) -> (B, K, D)
        read = self.dropout(self.words(self.row(word))) + self.last_ids(last_id)
        return read if self.pairs is None else read + self.dropout(self.pairs(pair_row))

    def row(self, word: Tensor) -> Tensor:
        """The row of each word, by its hash."""
        place = torch.searchsorted(self.known, word).clamp(max=len(self.known) - 1)
        return torch.where(self.known[place] == word, place, len(self.known) + bucket(word, self.num_buckets))


class ByteEmbedder(nn.Module):
    """The local model's own input at each byte: rows for the last id, the word so far, n-grams and phrases that end here."""

    def __init__(self, config: WordPatchConfig):
        super().__init__()
        dim = config.levels[1].dim
        ranges, num_orders = row_ranges(config), len(config.phrase_orders)
        self.last_ids = nn.Embedding(BEGIN + 1, dim)
        self.hashed = table(ranges.num_rows, dim, std=0.1)
        self.dropout = RowDropout(0.0)
        nn.init.normal_(self.last_ids.weight, std=0.5)
        self.unknown = ranges.starts[len(ranges.starts) - num_orders :]
        """The row that all phrases share that have none of their own, for each order."""
        names = torch.full((num_orders * config.phrase_rows,), NOBODY, dtype=torch.int32) if num_orders else None
        self.register_buffer("phrase_names", names)
        """Whose each row of phrases is: the name of one phrase, or NOBODY's. training/counting.py decides it."""

    def forward(self, last_id: Tensor, rows: Tensor, names: Tensor) -> Tensor:  # (..., ), (..., O), (..., O) -> (..., L)
        return self.last_ids(last_id) + self.dropout(self.hashed(self.own_rows(rows, names))).sum(-2)

    def own_rows(self, rows: Tensor, names: Tensor) -> Tensor:
        """The rows, but for phrases that are not known: the row of the unknown. Shapes: all (..., O).

        In training a phrase reads what was learned of it; without names, a new one would read what was learned of another.
        """
        if not self.unknown:
            return rows
        others, phrases = rows.split((rows.size(-1) - len(self.unknown), len(self.unknown)), dim=-1)
        is_known = self.phrase_names[phrases - self.unknown[0]] == names[..., -len(self.unknown) :]
        return torch.cat((others, torch.where(is_known, phrases, torch.tensor(self.unknown, device=rows.device))), dim=-1)


class LocalModel(nn.Module):
    """From the context of its patch and what was read of it so far to the logits of each byte, without attention."""

    def __init__(self, config: WordPatchConfig):
        super().__init__()
        level = config.levels[1]
        self.mlps = nn.ModuleList(MLP(level) for _ in range(level.num_layers))
        self.dropout = nn.Dropout(0.0)
        self.head = Linear(level.dim, NUM_IDS, zero=True)

    def forward(self, own: Tensor, context: Tensor, scores: Tensor | None) -> Tensor:  # (..., L), (..., L), (..., V) -> (..., V) float32
        x = norm(own + context + norm(own) * norm(context))
        for mlp in self.mlps:
            x = x + self.dropout(mlp(norm(x)))
        logits = self.head(norm(x))
        return soft_cap(logits if scores is None else logits + scores)


@dataclass(frozen=True)
class Heard:
    """What the bytes of S patches hear from the global model.

    Shapes: context (S, L); expected (S, W), see Lexicon.expect; again (S, M), see Pointer.expect.
    """

    context: Tensor
    expected: Tensor | None
    again: Tensor | None


class WordCache:
    """All that a step needs of the ids before it."""

    def __init__(self, model: "WordModel", rows: int, dtype: torch.dtype):
        config, device = model.config, model.global_to_local.weight.device
        num_patches = min(config.max_seq_len + 1, FIRST_ROOM)
        self.reader = WordReader(config, rows)
        self.key_values = model.global_model.empty_cache(rows, dtype, device)
        self.pointer_keys = torch.zeros(rows, num_patches, config.pointer_dim, device=device)
        self.heard = Heard(
            torch.zeros(rows, config.levels[1].dim, dtype=dtype, device=device),
            torch.zeros(rows, config.lexicon_words, device=device) if config.lexicon_words else None,
            torch.zeros(rows, num_patches, device=device) if config.pointer_dim else None,
        )
        """By the current patch of each row."""
        self.insist = 1.0
        """See Pointer.expect."""

    def make_room(self, num_patches: int) -> None:
        """Room for so many patches in each row, where there is a pointer."""
        if self.heard.again is None or self.reader.spelled is None or num_patches <= self.pointer_keys.size(1):
            return
        more = max(self.pointer_keys.size(1), num_patches - self.pointer_keys.size(1))
        self.pointer_keys = F.pad(self.pointer_keys, (0, 0, 0, more))
        self.heard = replace(self.heard, again=F.pad(self.heard.again, (0, more)))
        self.reader.spelled.grow(more)


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
        self.lexicon = Lexicon(config) if config.lexicon_words else None
        self.pointer = Pointer(config) if config.pointer_dim else None
        self.local_model = LocalModel(config)

    def forward(self, ids: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:  # (B, T) -> (B, T, V)
        words = read_words(ids, self.config)
        global_in = self.word_embedder(words.word, words.pair_row, words.last_id)  # (B, K, D)
        global_out = norm(self.global_model(norm(global_in.to(dtype))))  # (B, K, D)
        num_known = torch.arange(1, global_out.size(1) + 1, device=ids.device)
        keys, hints = (None, None) if self.pointer is None else (self.pointer.keys(global_out), find_hints(ids, words))
        heard = self.hear(global_out, keys, hints, num_known)  # of all B K patches
        patch = words.patch + global_out.size(1) * torch.arange(len(ids), device=ids.device)[:, None]  # (B, T), of all B K
        previous = F.pad(ids[:, :-1], (1, 0), value=BEGIN)
        repeats = None if self.pointer is None else find_repeats(ids, words)
        return self.local_logits(heard, patch, previous, words.byte_rows, words.byte_names, repeats)  # (B, T, V)

    def global_attention(self, ids: Tensor) -> Tensor:
        """What each patch attends to in each layer: itself, which stands for the word before, and those before. (1, T) -> (layers, K, K)"""
        words = read_words(ids, self.config)
        global_in = self.word_embedder(words.word, words.pair_row, words.last_id)
        return self.global_model.attention_maps(norm(global_in))[:, 0]

    def global_starts(self, ids: Tensor) -> list[int]:
        """Where patches begin in ids (1, T)."""
        return (self.places_in_patch(ids)[0] == 0).nonzero()[:, 0].tolist()

    def hear(self, global_out: Tensor, keys: Tensor | None, hints: Tensor | None, num_known: Tensor, insist: float = 1.0) -> Heard:
        """What the bytes of patches hear, the words before them having these keys and hints. Shapes as Pointer.expect."""
        return Heard(
            self.global_to_local(global_out).flatten(0, 1),
            None if self.lexicon is None else self.lexicon.expect(global_out).flatten(0, 1),
            None if self.pointer is None else self.pointer.expect(global_out, keys, hints, num_known, insist).flatten(0, 1),
        )

    def local_logits(self, heard: Heard, patch: Tensor, last_id: Tensor, rows: Tensor, names: Tensor, repeats: Repeats | None) -> Tensor:
        """The logits of some positions. Shapes: patch (...) of the S that heard, last_id (...), rows, names (..., O) -> (..., V)."""
        context = heard.context.index_select(0, patch.flatten()).view(*patch.shape, -1)  # (..., L)
        own = self.byte_embedder(last_id, rows, names).to(context.dtype)
        scores = [] if self.lexicon is None else [self.lexicon(heard.expected, patch, rows[..., 0], names[..., 0])]
        scores += [] if self.pointer is None else [self.pointer(heard.again, patch, repeats)]
        return self.local_model(own, context, sum(scores) if scores else None)

    def empty_cache(self, rows: int, dtype: torch.dtype = torch.float32) -> WordCache:
        return WordCache(self, rows, dtype)

    def prefill(self, ids: Tensor, cache: WordCache) -> Tensor:  # (B, t) -> (B, V)
        """The logits of the byte after the first t < max_seq_len ids of each row, which are read into an empty cache."""
        words = read_words(F.pad(ids, (0, 1)), self.config)  # the last position is the one to predict
        global_in = self.word_embedder(words.word, words.pair_row, words.last_id)
        global_out = norm(self.global_model.prefill(norm(global_in.to(cache.key_values.dtype)), cache.key_values))
        current = words.patch[:, -1]
        cache.make_room(global_out.size(1) + 1)
        cache.key_values.lengths = (current + 1).tolist()
        if self.pointer is not None:
            cache.pointer_keys[:, : global_out.size(1)] = self.pointer.keys(global_out)
        for new in ids.cpu().numpy().T:
            cache.reader.feed(new)
        self.hear_in_rows(cache, list(range(len(ids))), global_out[torch.arange(len(ids), device=ids.device), current])
        return self.next_logits(cache)

    def step(self, new: Tensor, cache: WordCache) -> Tensor:  # (B,) -> (B, V)
        """The logits of the next byte, after one more id of each row."""
        cache.make_room(max(cache.key_values.lengths) + 2)
        cache.reader.feed(new.cpu().numpy())
        rows = np.flatnonzero(cache.reader.begins).tolist()
        if rows:
            self.global_step(cache, rows)
        return self.next_logits(cache)

    def global_step(self, cache: WordCache, rows: list[int]) -> None:
        """The global model's step for the rows in which a patch begins."""
        device = cache.heard.context.device
        inputs = (torch.from_numpy(x[rows]).to(device) for x in cache.reader.patch_rows())
        x = norm(self.word_embedder(*inputs).to(cache.heard.context.dtype))[:, None]
        alone = len(cache.reader.begins) == 1
        out = norm(self.global_model.step(x, cache.key_values, rows=None if alone else rows)[:, 0])
        if self.pointer is not None:
            cache.pointer_keys[rows, [cache.key_values.lengths[row] - 1 for row in rows]] = self.pointer.keys(out)
        self.hear_in_rows(cache, rows, out)

    def hear_in_rows(self, cache: WordCache, rows: list[int], global_out: Tensor) -> None:
        """Remember what the bytes of the patches that begin now hear. Shapes: global_out (R, D)."""
        num_known = torch.tensor([[cache.key_values.lengths[row]] for row in rows], device=global_out.device)
        hints = cache.reader.hints(rows)
        hints = None if hints is None else torch.from_numpy(hints).to(global_out.device)[:, None]
        new = self.hear(global_out[:, None], cache.pointer_keys[rows], hints, num_known, cache.insist)
        for known, of_rows in ((cache.heard.context, new.context), (cache.heard.expected, new.expected), (cache.heard.again, new.again)):
            if known is not None:
                known[rows] = of_rows

    def next_logits(self, cache: WordCache) -> Tensor:
        device = cache.heard.context.device
        inputs = (torch.from_numpy(x).to(device) for x in (cache.reader.last_id, *cache.reader.byte_rows()))
        again = cache.reader.repeats()
        repeats = None if again is None else Repeats(*(torch.from_numpy(x).to(device) for x in again))
        return self.local_logits(cache.heard, torch.arange(len(cache.heard.context), device=device), *inputs, repeats)

    def places_in_patch(self, ids: Tensor) -> Tensor:
        """How many bytes of its patch come before each position, (B, T)."""
        words = read_words(ids, self.config)
        return torch.arange(ids.size(1), device=ids.device) - words.first.gather(1, words.patch)
