"""Writing text: from a prompt to what the model goes on with, one text as a stream or several as a batch."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from tavu.config import SamplingConfig
from tavu.generation.decoder import Decoder
from tavu.generation.sampling import RepetitionTracker, penalize, sample
from tavu.generation.text import ALLOWED, NEXT_STATE, StopStrings, TextStream, state_after
from tavu.model_file import Model
from tavu.vocabulary import END

Stopped = Literal["end", "length", "stop"]


@dataclass(frozen=True)
class Written:
    """What a model wrote after a prompt."""

    content: bytes
    stopped: Stopped
    """By END, by max_bytes, or at a stop string, which is not part of the content."""
    seconds: float

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", errors="replace")

    @property
    def bytes_per_second(self) -> float:
        return len(self.content) / max(self.seconds, 1e-9)


def prompt_ids(prompt: bytes, count: int = 1) -> torch.Tensor:
    """What a model reads before it goes on from a prompt: END, which starts a document, and the prompt's bytes. Shape (count, 1 + bytes)."""
    return torch.tensor([END, *prompt]).expand(count, -1)


@torch.inference_mode()
def draw(model: Model, prompt: bytes, config: SamplingConfig, count: int, dtype: torch.dtype) -> Iterator[np.ndarray]:
    """The ids (count,) that follow a prompt, step after step for ever; each row is drawn as it would be alone with seed config.seed + row.

    A row that has ended goes on with a new document; the caller says when it has enough.
    """
    device = next(model.parameters()).device
    decoder = Decoder(model, prompt_ids(prompt, count).to(device), dtype)
    dice = [np.random.default_rng(config.seed + row) for row in range(count)]
    states = np.full(count, state_after(prompt))
    trackers = [RepetitionTracker() for _ in range(count)] if config.repetition_penalty > 1 else []
    for tracker in trackers:
        for byte in prompt:
            tracker.feed(byte)
    while True:
        logits = decoder.logits.float().cpu().numpy()
        if trackers:
            logits = penalize(logits, [tracker.penalized() for tracker in trackers], config.repetition_penalty)
        uniforms = np.array([die.random() for die in dice])
        ids = sample(logits, config, uniforms, ALLOWED[states] if config.valid_utf8 else None)
        yield ids
        states = NEXT_STATE[states, ids]
        for tracker, id in zip(trackers, ids.tolist(), strict=False):
            tracker.feed(id)
        decoder.feed(torch.from_numpy(ids).to(device))


class _Row:
    """One text as it grows: what of it is sure, and why it stopped."""

    def __init__(self, config: SamplingConfig):
        self.config = config
        self.stops = StopStrings(config.stop)
        self.num_drawn = 0
        self.stopped: Stopped | None = None

    def take(self, id: int) -> bytes:
        """The bytes that are sure to be part of the text, now that id is drawn."""
        if id == END:
            self.stopped = "end"
            return self.stops.flush()
        self.num_drawn += 1
        sure, met = self.stops.feed(bytes((id,)))
        if met:
            self.stopped = "stop"
        elif self.num_drawn == self.config.max_bytes:
            self.stopped = "length"
            sure += self.stops.flush()
        return sure


def write(model: Model, prompt: bytes, config: SamplingConfig, *, count: int = 1, dtype: torch.dtype = torch.float32) -> list[Written]:
    """`count` texts that go on from a prompt, written as one batch; text i is what count=1 writes with seed config.seed + i.

    With config.valid_utf8 a text never ends in half a character: one that max_bytes cuts is left out.
    """
    begun = time.perf_counter()
    rows = [_Row(config) for _ in range(count)]
    contents = [bytearray() for _ in range(count)]
    finished: list[float] = [0.0] * count
    for ids in draw(model, prompt, config, count, dtype):
        for i, (row, id) in enumerate(zip(rows, ids.tolist(), strict=True)):
            if row.stopped is None:
                contents[i] += row.take(id)
                finished[i] = time.perf_counter() - begun
        if all(row.stopped for row in rows):
            break
    whole = [_whole_characters(prompt, bytes(content)) if config.valid_utf8 else bytes(content) for content in contents]
    return [Written(content, row.stopped, seconds) for content, row, seconds in zip(whole, rows, finished, strict=True)]


def stream(model: Model, prompt: bytes, config: SamplingConfig, *, dtype: torch.dtype = torch.float32) -> Iterator[str]:
    """The text that `write` gives, in pieces as soon as they are sure: never half a character, nothing of a stop string."""
    row, text = _Row(config), TextStream()
    text.feed(prompt[len(prompt) - _num_pending(prompt) :])  # a character that the prompt leaves open
    for (id,) in draw(model, prompt, config, 1, dtype):
        if piece := text.feed(row.take(int(id))):
            yield piece
        if row.stopped:
            break
    if not config.valid_utf8 and (rest := text.finish()):
        yield rest


def _num_pending(data: bytes) -> int:
    """How many bytes at the end of data are the start of a character that is not complete, 0 to 3."""
    return next((n for n in (1, 2, 3) if len(data) >= n and data[-n] >= 0xC0 and state_after(data)), 0)


def _whole_characters(prompt: bytes, content: bytes) -> bytes:
    pending = _num_pending(prompt + content)
    return content[: len(content) - min(pending, len(content))]
