"""The structures of a model as C takes them, pointing at its weights where they lie in the file."""

import ctypes
from ctypes import byref

from tavu.config import FixedPatchConfig, LevelConfig, WordPatchConfig
from tavu.engine.layout import Block, Level, Matrix, Megabyte, Mlp, Pointer, Reading, Words, library
from tavu.engine.weights import POSITIONS, Weights
from tavu.model.rows import row_ranges


class Pointed:
    """What a model's engines are made of; they share the weights, which live as long as this does."""

    def __init__(self, weights: Weights):
        self.weights, self.library = weights, library()
        self.structure: Megabyte | Words
        if isinstance(weights.config, FixedPatchConfig):
            self.structure, self._make = self._megabyte(weights.config), self.library.tavu_megabyte_engine
        else:
            self.structure, self._make = self._words(weights.config), self.library.tavu_words_engine

    def make_engine(self) -> int | None:
        """A pointer to a new engine, which its owner frees; None when memory ran out."""
        return self._make(byref(self.structure))

    def _megabyte(self, config: FixedPatchConfig) -> Megabyte:
        levels = []
        for i, own in enumerate(config.levels):
            name, parent_size = f"levels.{i}", config.levels[i - 1].patch_size if i else config.max_seq_len
            levels.append(
                Level(
                    own.dim,
                    own.num_layers,
                    own.num_heads,
                    own.patch_size,
                    parent_size // own.patch_size,
                    config.cross_patch_bytes if i == len(config.levels) - 1 else 0,
                    byte_embedding=self._matrix(f"{name}.byte_embedding.weight"),
                    pad=self._array(f"{name}.pad"),
                    blocks=self._blocks(f"{name}.transformer", own),
                )
            )
            if i:
                levels[i].from_parent = self._matrix(f"{name}.from_parent.weight")
        levels[0].positions = self._matrix(POSITIONS)
        return Megabyte(len(levels), config.max_seq_len, (Level * len(levels))(*levels))

    def _words(self, config: WordPatchConfig) -> Words:
        level, local = config.levels
        ranges, matrix, array = row_ranges(config), self._weight, self._array
        reading = Reading(config.max_patch_size, len(config.ngram_orders), len(config.phrase_orders))
        reading.ngrams[: len(config.ngram_orders)] = config.ngram_orders
        reading.phrases[: len(config.phrase_orders)] = config.phrase_orders
        for i, (salt, mask, start) in enumerate(zip(ranges.salts, ranges.masks, ranges.starts, strict=True)):
            reading.salts[i], reading.masks[i], reading.starts[i] = salt, mask, start
        mlps = [Mlp(*(matrix(f"local_model.mlps.{i}.{name}") for name in ("up", "down"))) for i in range(local.num_layers)]
        words = Words(
            num_layers=level.num_layers,
            num_heads=level.num_heads,
            num_local_layers=local.num_layers,
            max_seq_len=config.max_seq_len,
            num_known=config.num_known_words,
            num_buckets=config.word_rows - config.num_known_words,
            pair_rows=config.pair_rows,
            num_unknown=len(config.phrase_orders),
            reading=reading,
            words=matrix("word_embedder.words"),
            last_ids=matrix("word_embedder.last_ids"),
            known=array("word_embedder.known"),
            blocks=self._blocks("global_model", level),
            global_to_local=matrix("global_to_local"),
            byte_last_ids=matrix("byte_embedder.last_ids"),
            hashed=matrix("byte_embedder.hashed"),
            mlps=(Mlp * len(mlps))(*mlps),
            head=matrix("local_model.head"),
            lexicon_words=config.lexicon_words,
            spelling_width=config.max_patch_size,
        )
        if config.pair_rows:
            words.pairs = matrix("word_embedder.pairs")
        if config.phrase_orders:
            words.phrase_names = array("byte_embedder.phrase_names")
            words.unknown[: len(config.phrase_orders)] = ranges.starts[-len(config.phrase_orders) :]
        if config.lexicon_words:
            words.lexicon = matrix("lexicon.words")
            words.lexicon_bias = array("lexicon.bias")
            words.spellings, words.spelling_lengths = array("lexicon.spellings"), array("lexicon.lengths")
            words.lexicon_strength = self.weights.vectors["lexicon.strength"][0]
        if config.pointer_dim:
            vectors = self.weights.vectors
            words.pointer = Pointer(
                config.pointer_dim, *(matrix(f"pointer.{name}") for name in ("query", "key", "urge")), vectors["pointer.sharpness"][0]
            )
            words.pointer.strength[:] = vectors["pointer.strength"].tolist()
            words.pointer.urge_bias[:] = vectors["pointer.urge_bias"].tolist()
        return words

    def _blocks(self, transformer: str, level: LevelConfig) -> "ctypes.Array[Block]":
        names = ("attention.query_key_value", "attention.out", "mlp.up", "mlp.down")
        return (Block * level.num_layers)(
            *(Block(*(self._weight(f"{transformer}.blocks.{i}.{name}") for name in names)) for i in range(level.num_layers))
        )

    def _weight(self, name: str) -> Matrix:
        return self._matrix(f"{name}.weight")

    def _matrix(self, name: str) -> Matrix:
        weight = self.weights.matrices[name]
        scales = weight.scales.ctypes.data if weight.scales is not None else None
        return Matrix(*weight.shape, weight.kind, weight.numbers.ctypes.data, scales)

    def _array(self, name: str) -> int:
        return self.weights.vectors[name].ctypes.data
