"""What a model predicts in the place of each byte of a prompt, a part at a time, from the native engine.

Shapes: S bytes of a part, V ids.
"""

import numpy as np

from tavu.config import SamplingConfig
from tavu.engine.native import NativeEngine, NativeRow, NativeSampling
from tavu.vocabulary import NUM_IDS


class Scoring:
    """A prompt as it is scored from its first byte on."""

    def __init__(self, engine: NativeEngine, prompt: bytes):
        self._engine, self._prompt = engine, np.frombuffer(prompt, dtype=np.uint8)
        self._row: NativeRow = engine.read(b"")
        self._num_scored = 0

    def next_logits(self, most: int) -> np.ndarray:
        """The logits in the places of the next bytes, up to so many, (S, V), each given the bytes before it and the document's start."""
        part = self._prompt[self._num_scored : self._num_scored + most]
        self._num_scored += len(part)
        if not len(part):
            return np.zeros((0, NUM_IDS), dtype=np.float32)
        ids, logits = self._engine.step([self._row], [_only(part)], np.zeros((1, len(part))), want_logits=True)
        assert logits is not None and np.array_equal(ids[0], part)
        return logits[0]


def _only(part: np.ndarray) -> NativeSampling:
    """A way to sample that can draw nothing but these bytes, (S,): an automaton of S states, each of which allows one byte and leads to the next."""
    sampling = NativeSampling(SamplingConfig(temperature=0))
    S = len(part)
    sampling.allowed = (np.arange(NUM_IDS) == part[:, None]).astype(np.uint8)
    sampling.next_state = np.repeat((np.arange(S, dtype=np.int64) + 1)[:, None] % S, NUM_IDS, axis=1)
    structure = sampling.structure
    structure.num_states, structure.allowed, structure.next_state = S, sampling.allowed.ctypes.data, sampling.next_state.ctypes.data
    return sampling
