"""The word model: MEGABYTE's two levels over patches that begin where words begin, with hashed tables in place of byte embeddings.

Shapes: B batch, T bytes, K patches of the longest row, D global width, L local width, O table rows read at each position, V ids, W words of the
lexicon, M words of the context, S patches of all rows.
Alignment: logits[:, t] is the distribution of ids[:, t] given ids[:, :t]; the shifts live in read.py, which reads only what comes before.

    ids (B, T) -> words (B, K) -> global transformer (B, K, D) -> context (B, T, L) -> local MLPs, byte by byte -> logits (B, T, V)

A forward is `read`, which finds words and looks up tables, and `predict`, which does the arithmetic. What `read` gives can be padded to a few sizes,
so that `predict` can be compiled.

Decoding reads the whole row again for each byte, with the same functions as training; the native engine, which is the fast one, reads byte by byte.
DIFFERS_FROM_PAPER, in __init__.py, lists the differences from the paper.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tavu.config import WordPatchConfig
from tavu.model.attention import FIRST_ROOM
from tavu.model.interface import Model
from tavu.model.layers import MLP, Linear, norm, soft_cap
from tavu.model.transformer import Transformer
from tavu.model.words.embedders import ByteEmbedder, WordEmbedder
from tavu.model.words.lexicon import Lexicon, NextBytes
from tavu.model.words.pointer import Pointer
from tavu.model.words.read import BEGIN, PATCH_STEP, WordFeatures, word_features
from tavu.model.words.repeats import Repeats, find_hints, find_repeats
from tavu.vocabulary import NUM_IDS


class LocalModel(nn.Module):
    """From a byte's own input and its patch's global context to its logits: a stack of MLPs, without attention."""

    def __init__(self, config: WordPatchConfig):
        super().__init__()
        level = config.levels[1]
        self.mlps = nn.ModuleList(MLP(level.dim, level.mlp_dim) for _ in range(level.num_layers))
        self.dropout = nn.Dropout(0.0)
        self.head = Linear(level.dim, NUM_IDS, zero=True)

    def forward(self, own: Tensor, context: Tensor, scores: Tensor | None) -> Tensor:  # (..., L), (..., L), (..., V) -> (..., V) float32
        x = norm(own + context + norm(own) * norm(context))
        for mlp in self.mlps:
            x = x + self.dropout(mlp(norm(x)))
        logits = self.head(norm(x))
        return soft_cap(logits if scores is None else logits + scores)


@dataclass(frozen=True)
class PatchContext:
    """What the bytes of S patches get from the global model.

    Shapes: global_context (S, L); word_probs (S, W), see Lexicon.word_probs; copy_probs (S, M), see Pointer.copy_probs.
    """

    global_context: Tensor
    word_probs: Tensor | None
    copy_probs: Tensor | None


@dataclass(frozen=True)
class PositionInputs:
    """What predicts the ids at some positions, besides the context of their patches.

    Shapes: patch (...), the index of each position's patch among the S; bytes (..., L), the local model's own input.
    """

    patch: Tensor
    bytes: Tensor
    next_bytes: NextBytes | None
    repeats: Repeats | None


@dataclass(frozen=True)
class WordInputs:
    """All that the model reads of ids (B, T). Shapes: words (B, K, D), the global model's input; hints (B, K, 2, M), see find_hints."""

    words: Tensor
    hints: Tensor | None
    at: PositionInputs


class WordCache:
    """All that a step needs of the ids before it."""

    def __init__(self, model: "WordModel", rows: int, dtype: torch.dtype, insist: float):
        config, device = model.config, model.global_to_local.weight.device
        num_patches = min(config.max_seq_len + 1, FIRST_ROOM)
        self.ids = torch.empty(rows, 0, dtype=torch.long, device=device)
        self.key_values = model.global_model.empty_cache(rows, dtype, device)
        self.pointer_keys = torch.zeros(rows, num_patches, config.pointer_dim, device=device)
        self.context = PatchContext(
            torch.zeros(rows, config.levels[1].dim, dtype=dtype, device=device),
            torch.zeros(rows, model.lexicon.num_probs, device=device) if model.lexicon is not None else None,
            torch.zeros(rows, num_patches, device=device) if config.pointer_dim else None,
        )
        """Of the current patch of each row."""
        self.insist = insist
        """See Pointer.copy_probs."""

    def make_room(self, num_patches: int) -> None:
        """Room for this many patches in each row, where there is a pointer."""
        if self.context.copy_probs is None or num_patches <= self.pointer_keys.size(1):
            return
        more = max(self.pointer_keys.size(1), num_patches - self.pointer_keys.size(1))
        self.pointer_keys = F.pad(self.pointer_keys, (0, 0, 0, more))
        self.context = replace(self.context, copy_probs=F.pad(self.context.copy_probs, (0, more)))


class WordModel(Model):
    """ids (B, T) -> logits (B, T, V), through a global model over words and a local model of each byte."""

    config: WordPatchConfig

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

    def read(self, ids: Tensor, *, padded: bool = False) -> WordInputs:
        features = word_features(ids, self.config, patch_step=PATCH_STEP if padded else 1)
        K = features.start.size(1)
        at = self.at_positions(
            patch=features.patch + K * torch.arange(len(ids), device=ids.device)[:, None],  # (B, T), of all B K
            last_id=F.pad(ids[:, :-1], (1, 0), value=BEGIN),
            rows=features.byte_rows,
            fingerprints=features.byte_fingerprints,
            repeats=None if self.pointer is None else find_repeats(ids, features),
            padded=padded,
        )
        hints = None if self.pointer is None else find_hints(ids, features)
        return WordInputs(self.word_embedder(features.last_word, features.pair_row, features.last_id), hints, at)

    def at_positions(
        self, *, patch: Tensor, last_id: Tensor, rows: Tensor, fingerprints: Tensor, repeats: Repeats | None, padded: bool = False
    ) -> PositionInputs:
        """What predicts the ids at some positions. Shapes: patch, last_id (...); rows, fingerprints (..., O)."""
        next_bytes = None
        if self.lexicon is not None:
            next_bytes = self.lexicon.next_bytes(patch.flatten(), rows[..., 0].flatten(), fingerprints[..., 0].flatten())
        if padded:
            next_bytes, repeats = next_bytes and next_bytes.padded(), repeats and repeats.padded()
        return PositionInputs(patch, self.byte_embedder(last_id, rows, fingerprints), next_bytes, repeats)

    def predict(self, inputs: WordInputs, dtype: torch.dtype = torch.float32) -> Tensor:
        global_out = norm(self.global_model(norm(inputs.words.to(dtype))))  # (B, K, D)
        num_known = torch.arange(1, global_out.size(1) + 1, device=global_out.device)
        keys = None if self.pointer is None else self.pointer.keys(global_out)
        context = self.patch_context(global_out, keys, inputs.hints, num_known)  # of all B K patches
        return self.local_logits(context, inputs.at)  # (B, T, V)

    def global_inputs(self, features: WordFeatures, dtype: torch.dtype) -> Tensor:  # -> (B, K, D)
        return norm(self.word_embedder(features.last_word, features.pair_row, features.last_id).to(dtype))

    def patch_context(self, global_out: Tensor, keys: Tensor | None, hints: Tensor | None, num_known: Tensor, insist: float = 1.0) -> PatchContext:
        """The context of the bytes of B K patches. Shapes as Pointer.copy_probs."""
        global_context = self.global_to_local(global_out).flatten(0, 1)
        word_probs = None if self.lexicon is None else self.lexicon.word_probs(global_out).flatten(0, 1)
        if self.pointer is None:
            return PatchContext(global_context, word_probs, None)
        assert keys is not None and hints is not None
        return PatchContext(global_context, word_probs, self.pointer.copy_probs(global_out, keys, hints, num_known, insist).flatten(0, 1))

    def local_logits(self, context: PatchContext, at: PositionInputs) -> Tensor:  # -> (..., V)
        """The logits at some positions."""
        shape = at.patch.shape
        global_context = context.global_context.index_select(0, at.patch.flatten()).view(*shape, -1)  # (..., L)
        scores = [] if self.lexicon is None else [self.lexicon(context.word_probs, at.next_bytes).view(*shape, -1)]
        scores += [] if self.pointer is None else [self.pointer(context.copy_probs, at.patch, at.repeats)]
        return self.local_model(at.bytes.to(global_context.dtype), global_context, sum(scores) if scores else None)

    def empty_cache(self, rows: int, dtype: torch.dtype = torch.float32, insist: float = 1.0) -> WordCache:
        return WordCache(self, rows, dtype, insist)

    def prefill(self, ids: Tensor, cache: WordCache) -> Tensor:  # (B, t) -> (B, V)
        cache.ids = ids
        features = self.features_of_next(cache)
        global_out = norm(self.global_model.prefill(self.global_inputs(features, cache.key_values.dtype), cache.key_values))
        current = features.patch[:, -1]
        cache.make_room(global_out.size(1) + 1)
        cache.key_values.lengths = (current + 1).tolist()
        if self.pointer is not None:
            cache.pointer_keys[:, : global_out.size(1)] = self.pointer.keys(global_out)
        rows = torch.arange(len(ids), device=ids.device)
        self.set_context(cache, features, rows, global_out[rows, current])
        return self.next_logits(cache, features)

    def step(self, new: Tensor, cache: WordCache) -> Tensor:  # (B,) -> (B, V)
        cache.make_room(max(cache.key_values.lengths) + 2)
        cache.ids = torch.cat((cache.ids, new[:, None]), dim=1)
        features = self.features_of_next(cache)
        begins = features.start.gather(1, features.patch[:, -1:])[:, 0] == cache.ids.size(1)
        rows = begins.nonzero()[:, 0]
        if len(rows):
            self.global_step(cache, features, rows)
        return self.next_logits(cache, features)

    def features_of_next(self, cache: WordCache) -> WordFeatures:
        """The features of the ids and of the position after them, which is the last."""
        return word_features(F.pad(cache.ids, (0, 1)), self.config)

    def global_step(self, cache: WordCache, features: WordFeatures, rows: Tensor) -> None:
        """The global model's step for the rows (R,) in which a patch begins."""
        current = features.patch[rows, -1]
        inputs = (x[rows, current] for x in (features.last_word, features.pair_row, features.last_id))
        x = norm(self.word_embedder(*inputs).to(cache.key_values.dtype))[:, None]
        alone = len(cache.ids) == 1
        out = norm(self.global_model.step(x, cache.key_values, rows=None if alone else rows.tolist())[:, 0])
        if self.pointer is not None:
            cache.pointer_keys[rows, current] = self.pointer.keys(out)
        self.set_context(cache, features, rows, out)

    def set_context(self, cache: WordCache, features: WordFeatures, rows: Tensor, global_out: Tensor) -> None:
        """Compute the context of the patches that begin now in rows (R,), from their global output (R, D)."""
        current, hints = features.patch[rows, -1], None
        if self.pointer is not None:
            features = replace(features, start=features.start[rows], last_word=features.last_word[rows])
            hints = find_hints(F.pad(cache.ids[rows], (0, 1)), features)[torch.arange(len(rows), device=rows.device), current]  # (R, 2, K)
            hints = F.pad(hints, (0, cache.pointer_keys.size(1) - hints.size(-1)))[:, None]
        new = self.patch_context(global_out[:, None], cache.pointer_keys[rows], hints, current[:, None] + 1, cache.insist)
        for known, of_rows in (
            (cache.context.global_context, new.global_context),
            (cache.context.word_probs, new.word_probs),
            (cache.context.copy_probs, new.copy_probs),
        ):
            if known is not None:
                assert of_rows is not None
                known[rows] = of_rows

    def next_logits(self, cache: WordCache, features: WordFeatures) -> Tensor:
        """The logits of the byte that comes next in each row, (B, V)."""
        ids = cache.ids
        repeats = None if self.pointer is None else find_repeats(F.pad(ids, (0, 1)), features, first=ids.size(1))
        at = self.at_positions(
            patch=torch.arange(len(ids), device=ids.device),
            last_id=ids[:, -1],
            rows=features.byte_rows[:, -1],
            fingerprints=features.byte_fingerprints[:, -1],
            repeats=repeats,
        )
        return self.local_logits(cache.context, at)

    def global_attention(self, ids: Tensor) -> Tensor:  # (1, T) -> (layers, K, K)
        return self.global_model.attention_maps(self.global_inputs(word_features(ids, self.config), torch.float32))[:, 0]

    def global_starts(self, ids: Tensor) -> list[int]:
        return (self.places_in_patch(ids)[0] == 0).nonzero()[:, 0].tolist()

    def places_in_patch(self, ids: Tensor) -> Tensor:  # (B, T) -> (B, T)
        features = word_features(ids, self.config)
        return torch.arange(ids.size(1), device=ids.device) - features.start.gather(1, features.patch)
