"""The native engine: C code (engine.h) that writes several times faster than PyTorch, on a CPU, with the weights as the model file stores them.

Where it was not built, or does not support a model, `why_not` says so and PyTorch writes (generation/decoder.py); tests hold the two equal.
"""

import ctypes
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import POINTER, byref, c_void_p
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from tavu.config import FixedPatchConfig, ModelConfig, SamplingConfig
from tavu.engine.library import Sampling, library
from tavu.errors import TavuError
from tavu.generation.sampling import DIVERGED
from tavu.generation.text import NEXT_STATE, allowed_ids, state_after
from tavu.stored_model import StoredModel
from tavu.vocabulary import END, NUM_IDS

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

STEPS = 16
"""Bytes of each text that are written before Python checks whether it is done."""
ROWS_PER_THREAD = 8
"""Fewer texts do not pay for another thread, since each pass over the weights serves all texts of a thread."""
_NOT_A_NUMBER = -1
"""See engine.h."""


def is_built() -> bool:
    return library() is not None


@cache
def max_threads() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _threads() -> "ThreadPoolExecutor":
    """The threads of this process; a forked process makes its own."""
    from concurrent.futures import ThreadPoolExecutor  # not needed for a single text

    return ThreadPoolExecutor(max_threads(), thread_name_prefix="tavu")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.cache_clear)


def unsupported(config: ModelConfig) -> str | None:
    """What of a model the engine does not know, as the end of a sentence; None when it knows all of it."""
    if isinstance(config, FixedPatchConfig) and config.conv_encoder:
        return "it does not know conv_encoder, which this model has"
    return None


def why_not(stored: StoredModel) -> str | None:
    """Why the native engine cannot run a model here, as the end of a sentence; None when it can."""
    if reason := unsupported(stored.config):
        return reason
    if not is_built():
        return "the native engine was not built when tavu was installed, which takes a C compiler: install one, and tavu again"
    return None


class NativeEngine:
    """A model in the native engine, for any number of threads; each row is for one at a time. Many texts are divided among several threads."""

    def __init__(self, stored: StoredModel):
        """Raises TavuError when why_not has a reason, or the tensors do not fit the config."""
        if reason := why_not(stored):
            raise TavuError(f"{stored.file}: it does not run in the native engine: {reason}. Leave out --engine, or name torch.")
        self.config = stored.config
        built = library()
        assert built is not None  # or why_not says so
        self._library = built
        self._file, self._content = stored.file, stored.content
        self._idle: list[int] = []
        """Engines that no call is using: each serves one call at a time. All use the weights in the content of the file."""
        with self._engine():
            pass

    def __del__(self) -> None:
        for engine in getattr(self, "_idle", ()):
            self._library.tavu_close(engine)

    @contextmanager
    def _engine(self) -> Iterator[int]:
        """An engine for one call. A list's pop and append are atomic, and unlike a lock cannot be left locked by a fork."""
        try:
            engine = self._idle.pop()
        except IndexError:
            engine = self._open()
        try:
            yield engine
        finally:
            self._idle.append(engine)

    def _open(self) -> int:
        message = ctypes.create_string_buffer(1000)
        engine = self._library.tavu_open(self._content.ctypes.data, len(self._content), message, len(message))
        if not engine:
            raise TavuError(f"{self._file}: {message.value.decode(errors='replace')}")
        return engine

    def read(self, prompt: bytes, insist: float = 1.0) -> "NativeRow":
        """A row that continues a prompt; copies of it have read the prompt, too. For insist see SamplingConfig."""
        ids = np.array([END, *prompt], dtype=np.int32)
        with self._engine() as engine:
            row = NativeRow(self, self._library.tavu_row(engine))
            if self._library.tavu_read(engine, row.pointer, ids.ctypes.data, len(ids), state_after(prompt), insist):
                raise TavuError(_no_memory())
        return row

    def step(
        self, rows: Sequence["NativeRow"], samplings: Sequence["NativeSampling"], uniforms: np.ndarray, *, want_logits: bool = False
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """The next S ids of N texts, each sampled its own way at uniforms (N, S) in [0, 1): (N, S) int32, after END only END.

        With want_logits also the logits that they were drawn from, before any penalty or temperature, (N, S, V) float32; 0 after END.
        Raises TavuError when a logit is NaN.
        """
        uniforms = np.ascontiguousarray(uniforms, dtype=np.float64)
        N, S = uniforms.shape
        out = np.empty((N, S), dtype=np.int32)
        logits = np.zeros((N, S, NUM_IDS), dtype=np.float32) if want_logits else None
        pointers = (c_void_p * N)(*(row.pointer for row in rows))
        sampling_pointers = (POINTER(Sampling) * N)(*(ctypes.pointer(sampling.structure) for sampling in samplings))

        def write(first: int, end: int) -> int:
            with self._engine() as engine:
                return self._library.tavu_write(
                    engine,
                    byref(pointers, first * ctypes.sizeof(c_void_p)),
                    end - first,
                    S,
                    ctypes.cast(byref(sampling_pointers, first * ctypes.sizeof(c_void_p)), POINTER(POINTER(Sampling))),
                    uniforms[first:].ctypes.data,
                    out[first:].ctypes.data,
                    logits[first:].ctypes.data if logits is not None else None,
                )

        num_parts = min(max_threads(), max(1, N // ROWS_PER_THREAD))
        if num_parts == 1:
            results = [write(0, N)]
        else:
            borders = [N * i // num_parts for i in range(num_parts + 1)]
            results = list(_threads().map(write, borders[:-1], borders[1:]))
        if failed := min(results):
            raise TavuError(DIVERGED if failed == _NOT_A_NUMBER else _no_memory())
        return out, logits

    def score(self, sequences: Sequence[np.ndarray], firsts: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray]]:
        """What ids cost, and their places in their patches; see Scorer (evaluation/bits_per_byte.py)."""
        if len(sequences) == 1 or max_threads() == 1:
            return [self.score_one(ids, first)[:2] for ids, first in zip(sequences, firsts, strict=True)]
        return list(_threads().map(lambda ids, first: self.score_one(ids, first)[:2], sequences, firsts))

    def logits(self, sequences: Sequence[np.ndarray], firsts: Sequence[int]) -> list[np.ndarray]:
        """For each sequence of ids (T,): the logits (T - first, V) float32 that predicted its ids from `first` on."""

        def of_one(ids: np.ndarray, first: int) -> np.ndarray:
            logits = self.score_one(ids, first, want_logits=True)[2]
            assert logits is not None
            return logits

        if len(sequences) == 1 or max_threads() == 1:
            return [of_one(ids, first) for ids, first in zip(sequences, firsts, strict=True)]
        return list(_threads().map(of_one, sequences, firsts))

    def score_one(self, ids: np.ndarray, first: int, *, want_logits: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """The bits (N,) of ids[first:], their places in their patches (N,), and with want_logits the logits (N, V) that predicted them."""
        ids, N = np.ascontiguousarray(ids, dtype=np.int32), len(ids) - first
        assert 0 <= first <= len(ids) <= self.config.max_seq_len and int(ids.min(initial=0)) >= 0 and int(ids.max(initial=0)) < NUM_IDS
        bits, places = np.empty(N, dtype=np.float32), np.empty(N, dtype=np.int32)
        logits = np.empty((N, NUM_IDS), dtype=np.float32) if want_logits else None
        where = logits.ctypes.data if logits is not None else None
        with self._engine() as engine:
            if self._library.tavu_score(engine, ids.ctypes.data, len(ids), first, bits.ctypes.data, places.ctypes.data, where):
                raise TavuError(_no_memory())
        return bits, places, logits

    def draw(self, prompt: bytes, config: SamplingConfig, count: int) -> Iterator[np.ndarray]:
        """The ids (count, steps) that follow a prompt; text i is drawn as alone with seed config.seed + i. Ids after END mean nothing."""
        sampling = NativeSampling(config)
        first = self.read(prompt, config.insist)
        rows = [first, *(first.copy() for _ in range(count - 1))]
        generators = [np.random.default_rng(config.seed + i) for i in range(count)]
        ended = np.zeros(count, dtype=bool)
        while True:
            open_rows = np.flatnonzero(~ended)
            ids = np.full((count, STEPS), END, dtype=np.int32)
            if len(open_rows):
                uniforms = np.stack([generators[i].random(STEPS) for i in open_rows])
                ids[open_rows], _ = self.step([rows[i] for i in open_rows], [sampling] * len(open_rows), uniforms)
            ended |= (ids == END).any(axis=1)
            yield ids


class NativeRow:
    """One text in the engine, with the model's cache of it."""

    def __init__(self, engine: NativeEngine, pointer: int | None):
        if not pointer:
            raise TavuError(_no_memory())
        self.engine, self.pointer = engine, pointer

    def __del__(self) -> None:
        if getattr(self, "pointer", None):
            self.engine._library.tavu_free_row(self.pointer)

    def copy(self) -> "NativeRow":
        with self.engine._engine() as engine:
            return NativeRow(self.engine, self.engine._library.tavu_copy_row(engine, self.pointer))


class NativeSampling:
    """A SamplingConfig for the engine."""

    def __init__(self, config: SamplingConfig):
        self.allowed, self.next_state = (
            np.ascontiguousarray(allowed_ids(config.used_bytes), dtype=np.uint8),
            np.ascontiguousarray(NEXT_STATE, dtype=np.int64),
        )
        self.structure = Sampling(
            config.temperature,
            1.0 if config.top_p is None else config.top_p,
            config.min_p or 0.0,
            math.log(config.repetition_penalty),
            NUM_IDS if config.top_k is None else min(config.top_k, NUM_IDS),
            len(self.allowed) if config.valid_utf8 else 0,
            self.allowed.ctypes.data,
            self.next_state.ctypes.data,
        )


def _no_memory() -> str:
    return "There is not enough memory for the texts to be written. Write fewer at a time, as with a lower --count."
