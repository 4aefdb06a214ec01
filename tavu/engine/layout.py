"""Where the compiled engine is found, and its structures as C lays them out: the same fields in the same order as in its headers."""

import ctypes
import sys
from ctypes import POINTER, Structure, c_double, c_float, c_int32, c_int64, c_uint64, c_void_p
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).with_name("tavu_engine.dll" if sys.platform == "win32" else "tavu_engine.so")
MAX_ORDERS, MAX_POWERS = 20, 5 * 255 + 1


class Matrix(Structure):
    _fields_ = [("rows", c_int32), ("cols", c_int32), ("kind", c_int32), ("numbers", c_void_p), ("scales", c_void_p)]


class Reading(Structure):
    _fields_ = [
        *((name, c_int32) for name in ("max_patch_size", "num_ngrams", "num_phrases")),
        *((name, c_int32 * MAX_ORDERS) for name in ("ngrams", "phrases")),
        *((name, c_uint64 * MAX_ORDERS) for name in ("salts", "masks", "starts")),
        ("powers", c_uint64 * MAX_POWERS),
    ]


class Block(Structure):
    _fields_ = [(name, Matrix) for name in ("query_key_value", "attention_out", "up", "down")]


class Mlp(Structure):
    _fields_ = [(name, Matrix) for name in ("up", "down")]


class Pointer(Structure):
    _fields_ = [
        ("dim", c_int32),
        *((name, Matrix) for name in ("query", "key", "urge")),
        ("sharpness", c_float),
        *((name, c_float * 2) for name in ("strength", "urge_bias")),
    ]


class Words(Structure):
    _fields_ = [
        *(
            (name, c_int32)
            for name in ("num_layers", "num_heads", "num_local_layers", "max_seq_len", "num_known", "num_buckets", "pair_rows", "num_unknown")
        ),
        ("reading", Reading),
        *((name, Matrix) for name in ("words", "pairs", "last_ids")),
        ("known", c_void_p),
        ("blocks", POINTER(Block)),
        *((name, Matrix) for name in ("global_to_local", "byte_last_ids", "hashed")),
        ("phrase_names", c_void_p),
        ("unknown", c_int64 * MAX_ORDERS),
        ("mlps", POINTER(Mlp)),
        ("head", Matrix),
        *((name, c_int32) for name in ("lexicon_words", "spelling_width")),
        ("lexicon", Matrix),
        *((name, c_void_p) for name in ("lexicon_bias", "spellings", "spelling_lengths")),
        ("lexicon_strength", c_float),
        ("pointer", Pointer),
    ]


class Level(Structure):
    _fields_ = [
        *((name, c_int32) for name in ("dim", "num_layers", "num_heads", "unit_size", "units_per_parent", "cross")),
        *((name, Matrix) for name in ("byte_embedding", "positions", "from_parent")),
        ("pad", c_void_p),
        ("blocks", POINTER(Block)),
    ]


class Megabyte(Structure):
    _fields_ = [("num_levels", c_int32), ("max_seq_len", c_int32), ("levels", POINTER(Level))]


class Sampling(Structure):
    _fields_ = [
        *((name, c_double) for name in ("temperature", "top_p", "min_p", "log_penalty")),
        *((name, c_int32) for name in ("top_k", "num_states")),
        *((name, c_void_p) for name in ("allowed", "next_state")),
    ]


PASSED = (Words, Megabyte, Level, Block, Mlp, Sampling)
"""What lies in the memory of both, in the order of tavu_sizes."""


@cache
def library() -> ctypes.CDLL | None:
    """The compiled engine; None where it was not built, or was built of other sources."""
    try:
        library = ctypes.CDLL(str(LIBRARY))
        sizes = [library.tavu_sizes(i) for i in range(len(PASSED))]
    except (OSError, AttributeError):
        return None
    if sizes != [ctypes.sizeof(structure) for structure in PASSED]:
        return None
    for name, result, arguments in (
        ("tavu_words_engine", c_void_p, [POINTER(Words)]),
        ("tavu_megabyte_engine", c_void_p, [POINTER(Megabyte)]),
        ("tavu_free_engine", None, [c_void_p]),
        ("tavu_row", c_void_p, [c_void_p]),
        ("tavu_copy_row", c_void_p, [c_void_p, c_void_p]),
        ("tavu_free_row", None, [c_void_p]),
        ("tavu_read", c_int32, [c_void_p, c_void_p, c_void_p, c_int64, c_int32, c_float]),
        ("tavu_score", c_int32, [c_void_p, c_void_p, c_int64, c_int64, c_void_p, c_void_p, c_void_p]),
        ("tavu_write", c_int32, [c_void_p, c_void_p, c_int32, c_int32, POINTER(POINTER(Sampling)), c_void_p, c_void_p, c_void_p]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
