"""The PyTorch Writer: incremental decoding with a cache, for texts of any length.

Shapes: N rows, all of the same length; t ids read; V ids.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from tavu.config import SamplingConfig
from tavu.generation.sampling import RepetitionTracker, penalize, sample
from tavu.generation.text import NEXT_STATE, allowed_ids, state_after
from tavu.model.interface import Model
from tavu.vocabulary import END


class Decoder:
    """Decodes a batch of rows. Holds the ids of the current context and the logits of the next id in each row.

    The context is max_seq_len ids. When it is full, its second half is prefilled again and decoding continues from there. So the average cost of a
    byte does not grow with the length of the text.
    """

    def __init__(self, model: Model, ids: Tensor, dtype: torch.dtype = torch.float32, insist: float = 1.0):
        """Prefill ids (N, t), t >= 1. Only the last ones are used if they do not fit in the context. For insist see SamplingConfig."""
        self.model, self.dtype, self.insist = model, dtype, insist
        self.logits = self._read(ids[:, -(model.config.max_seq_len - 1) :])

    def feed(self, new: Tensor) -> Tensor:
        """Append one id (N,) to each row. Returns the logits (N, V) of the next id."""
        if self.ids.size(1) + 1 < self.model.config.max_seq_len:
            self.ids = torch.cat((self.ids, new[:, None]), dim=1)
            self.logits = self.model.step(new, self.cache)
        else:
            keep = self.model.config.max_seq_len // 2
            self.logits = self._read(torch.cat((self.ids, new[:, None]), dim=1)[:, -keep:])
        return self.logits

    def _read(self, ids: Tensor) -> Tensor:
        self.ids = ids
        self.cache = self.model.empty_cache(len(ids), self.dtype, self.insist)
        return self.model.prefill(ids, self.cache)


def prompt_ids(prompt: bytes, count: int = 1) -> Tensor:
    """The input ids for a prompt: END, which starts a document, then the bytes of the prompt. Shape (count, 1 + bytes)."""
    return torch.tensor([END, *prompt]).expand(count, -1)


class TorchWriter:
    """The Writer (writing.py) for any model, on any device and in any precision."""

    def __init__(self, model: Model, dtype: torch.dtype = torch.float32):
        self.model, self.dtype = model, dtype

    @torch.inference_mode()
    def draw(self, prompt: bytes, config: SamplingConfig, count: int) -> Iterator[np.ndarray]:
        """Draw one id per text and step, (count, 1); see Writer."""
        device = next(self.model.parameters()).device
        decoder = Decoder(self.model, prompt_ids(prompt, count).to(device), self.dtype, config.insist)
        rngs = [np.random.default_rng(config.seed + row) for row in range(count)]
        states, allowed = np.full(count, state_after(prompt)), allowed_ids(config.used_bytes)
        trackers = [RepetitionTracker() for _ in range(count)] if config.repetition_penalty > 1 else []
        for tracker in trackers:
            for byte in prompt:
                tracker.feed(byte)
        while True:
            logits = decoder.logits.float().cpu().numpy()
            if trackers:
                logits = penalize(logits, [tracker.penalized() for tracker in trackers], config.repetition_penalty)
            uniforms = np.array([rng.random() for rng in rngs])
            ids = sample(logits, config, uniforms, allowed[states] if config.valid_utf8 else None)
            yield ids[:, None]
            states = NEXT_STATE[states, ids]
            for tracker, id in zip(trackers, ids.tolist(), strict=False):
                tracker.feed(id)
            decoder.feed(torch.from_numpy(ids).to(device))
