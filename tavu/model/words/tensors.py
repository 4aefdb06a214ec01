"""The tensors of the word model (see tavu/model/tensors.py)."""

from tavu.config import WordPatchConfig
from tavu.model.tensors import TensorSpec, mlp_tensors, transformer_tensors
from tavu.model.words.rows import NUM_HINTS, row_ranges
from tavu.vocabulary import NUM_IDS


def word_patch_tensors(config: WordPatchConfig) -> dict[str, TensorSpec]:
    level, local = config.levels
    D, L, W, E = level.dim, local.dim, config.lexicon_words, config.pointer_dim
    num_phrase_rows = len(config.phrase_orders) * config.phrase_rows
    specs = {
        "word_embedder.words.weight": TensorSpec((config.word_rows, D), "table"),
        "word_embedder.last_ids.weight": TensorSpec((NUM_IDS + 1, D), "dense"),
        "word_embedder.known": TensorSpec((config.num_known_words,), "buffer", "I64"),
        "global_to_local.weight": TensorSpec((L, D), "dense"),
        "byte_embedder.last_ids.weight": TensorSpec((NUM_IDS + 1, L), "dense"),
        "byte_embedder.hashed.weight": TensorSpec((row_ranges(config).num_rows, L), "table"),
        "local_model.head.weight": TensorSpec((NUM_IDS, L), "dense"),
    }
    specs |= transformer_tensors("global_model", level)
    for i in range(local.num_layers):
        specs |= mlp_tensors(f"local_model.mlps.{i}", L, local.mlp_dim)
    if config.pair_rows:
        specs["word_embedder.pairs.weight"] = TensorSpec((config.pair_rows, D), "table")
    if num_phrase_rows:
        specs["byte_embedder.phrase_fingerprints"] = TensorSpec((num_phrase_rows,), "buffer", "I32")
    if W:
        specs["lexicon.words.weight"] = TensorSpec((W, D), "dense")
        specs["lexicon.bias"] = TensorSpec((W,), "dense")
        specs["lexicon.strength"] = TensorSpec((1,), "dense")
        specs["lexicon.spellings"] = TensorSpec((W, config.max_patch_size), "buffer", "U8")
        specs["lexicon.lengths"] = TensorSpec((W,), "buffer", "U8")
    if E:
        specs["pointer.query.weight"] = TensorSpec((E, D), "dense")
        specs["pointer.key.weight"] = TensorSpec((E, D), "dense")
        specs["pointer.hint_gate.weight"] = TensorSpec((NUM_HINTS * E, D), "dense")
        specs["pointer.hint_bias"] = TensorSpec((NUM_HINTS,), "dense")
        specs["pointer.sharpness"] = TensorSpec((1,), "dense")
        specs["pointer.strength"] = TensorSpec((2,), "dense")
    return specs
