"""What a model predicts in the place of each byte of a document, from the native engine.

Shapes: S bytes, V ids.
"""

import numpy as np

from tavu.config import SamplingConfig
from tavu.engine.native import NativeEngine, NativeSampling
from tavu.vocabulary import NUM_IDS

AT_ONCE = 256
"""Bytes between two looks of the engine's caller, which bounds the tables below."""


def logits_of(engine: NativeEngine, document: bytes) -> np.ndarray:
    """The logits in the place of each byte, (S, V) float32, given the bytes before it and the document's start."""
    row, parts = engine.read(b""), [np.zeros((0, NUM_IDS), dtype=np.float32)]
    for start in range(0, len(document), AT_ONCE):
        part = np.frombuffer(document[start : start + AT_ONCE], dtype=np.uint8)
        _, logits = engine.step([row], [_only(part)], np.zeros((1, len(part))), want_logits=True)
        assert logits is not None
        parts.append(logits[0])
    return np.concatenate(parts)


def _only(part: np.ndarray) -> NativeSampling:
    """A way to sample that can draw nothing but these bytes, (S,): an automaton of S states, each of which allows one byte and leads to the next."""
    sampling = NativeSampling(SamplingConfig(temperature=0))
    S = len(part)
    sampling.allowed = (np.arange(NUM_IDS) == part[:, None]).astype(np.uint8)
    sampling.next_state = np.repeat((np.arange(S, dtype=np.int64) + 1)[:, None] % S, NUM_IDS, axis=1)
    structure = sampling.structure
    structure.num_states, structure.allowed, structure.next_state = S, sampling.allowed.ctypes.data, sampling.next_state.ctypes.data
    return sampling
