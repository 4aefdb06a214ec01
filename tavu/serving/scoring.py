"""The logits at each byte of a prompt, computed in parts by the native engine.

Shapes: S bytes of a part, V ids.
"""

import numpy as np

from tavu.engine.native import NativeEngine
from tavu.evaluation.bits_per_byte import windows
from tavu.vocabulary import NUM_IDS


class PromptScorer:
    """Scores a prompt from start to end, in the same windows as an evaluation."""

    def __init__(self, engine: NativeEngine, prompt: bytes):
        self._engine, self._prompt = engine, np.frombuffer(prompt, dtype=np.uint8)
        self._windows = windows([len(prompt)], [0], engine.config.max_seq_len)

    def next_logits(self) -> np.ndarray:
        """The logits at the next bytes, (S, V), each given the bytes before it in the window."""
        if not len(self._prompt):
            return np.zeros((0, NUM_IDS), dtype=np.float32)
        window = next(self._windows)
        _, _, logits = self._engine.score_one(window.ids(self._prompt), window.first_counted - window.start, want_logits=True)
        assert logits is not None
        return logits[: len(self._prompt) + 1 - window.first_counted]  # without the END at the end
