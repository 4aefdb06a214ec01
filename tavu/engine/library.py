"""The compiled engine: where it is, and its functions (engine.h)."""

import ctypes
import sys
from ctypes import POINTER, Structure, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_void_p
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).with_name("tavu_engine.dll" if sys.platform == "win32" else "tavu_engine.so")


class Sampling(Structure):
    """As sampling.h has it."""

    _fields_ = [
        *((name, c_double) for name in ("temperature", "top_p", "min_p", "log_penalty")),
        *((name, c_int32) for name in ("top_k", "num_states")),
        *((name, c_void_p) for name in ("allowed", "next_state")),
    ]


@cache
def library() -> ctypes.CDLL | None:
    """The compiled engine; None where it was not built, or by an earlier version."""
    try:
        library = ctypes.CDLL(str(LIBRARY))
        for name, result, arguments in (
            ("tavu_open", c_void_p, [c_void_p, c_size_t, c_char_p, c_size_t]),
            ("tavu_close", None, [c_void_p]),
            ("tavu_row", c_void_p, [c_void_p]),
            ("tavu_copy_row", c_void_p, [c_void_p, c_void_p]),
            ("tavu_free_row", None, [c_void_p]),
            ("tavu_read", c_int32, [c_void_p, c_void_p, c_void_p, c_int64, c_int32, c_float]),
            ("tavu_score", c_int32, [c_void_p, c_void_p, c_int64, c_int64, c_void_p, c_void_p, c_void_p]),
            ("tavu_write", c_int32, [c_void_p, c_void_p, c_int32, c_int32, POINTER(POINTER(Sampling)), c_void_p, c_void_p, c_void_p]),
        ):
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError):
        return None
    return library
