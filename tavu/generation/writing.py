"""Writing text: from a prompt to what the model goes on with, one text as a stream or several as a batch."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from tavu.config import SamplingConfig
from tavu.generation.text import StopStrings, TextStream, state_after
from tavu.vocabulary import END

FinishReason = Literal["end", "length", "stop"]


class Writer(Protocol):
    """A model that writes: in PyTorch (decoder.py), or in the native engine (engine/native.py)."""

    def draw(self, prompt: bytes, config: SamplingConfig, count: int) -> Iterator[np.ndarray]:
        """The ids that follow a prompt in `count` texts, some at a time, (count, steps), for ever.

        Text i is drawn as it would be alone with seed config.seed + i. What comes after END means nothing; the caller says when it has enough.
        """
        ...


@dataclass(frozen=True)
class Written:
    """What a model wrote after a prompt."""

    content: bytes
    stopped: FinishReason
    """By END, by max_bytes, or at a stop string, which is not part of the content."""
    seconds: float

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", errors="replace")

    @property
    def bytes_per_second(self) -> float:
        return len(self.content) / max(self.seconds, 1e-9)


class GrowingText:
    """One text as it grows: what of it is sure, and why it stopped."""

    def __init__(self, config: SamplingConfig):
        self.config = config
        self.stops = StopStrings(config.stop)
        self.num_drawn = 0
        self.stopped: FinishReason | None = None

    def take(self, ids: list[int]) -> bytes:
        """The bytes that are sure to be part of the text, now that these ids are drawn; nothing is taken after it has stopped."""
        sure = b""
        for id in ids:
            if self.stopped:
                break
            if id == END:
                self.stopped = "end"
                return sure + self.stops.flush()
            self.num_drawn += 1
            more, met = self.stops.feed(bytes((id,)))
            sure += more
            if met:
                self.stopped = "stop"
            elif self.num_drawn == self.config.max_bytes:
                self.stopped = "length"
                sure += self.stops.flush()
        return sure


def write(writer: Writer, prompt: bytes, config: SamplingConfig, *, count: int = 1) -> list[Written]:
    """`count` texts that go on from a prompt, written as one batch; text i is what count=1 writes with seed config.seed + i.

    With config.valid_utf8 a text never ends in half a character: one that max_bytes cuts is left out.
    """
    begun = time.perf_counter()
    rows = [GrowingText(config) for _ in range(count)]
    contents = [bytearray() for _ in range(count)]
    finished: list[float] = [0.0] * count
    for some in writer.draw(prompt, config, count):
        for i, (row, ids) in enumerate(zip(rows, some.tolist(), strict=True)):
            if row.stopped is None:
                contents[i] += row.take(ids)
                finished[i] = time.perf_counter() - begun
        if all(row.stopped for row in rows):
            break
    whole = [_whole_characters(prompt, bytes(content)) if config.valid_utf8 else bytes(content) for content in contents]
    return [Written(content, row.stopped, seconds) for content, row, seconds in zip(whole, rows, finished, strict=True) if row.stopped]


def stream(writer: Writer, prompt: bytes, config: SamplingConfig) -> Iterator[str]:
    """The text that `write` gives, in pieces as soon as they are sure: never half a character, nothing of a stop string."""
    row, text = GrowingText(config), TextStream()
    text.feed(prompt[len(prompt) - num_pending(prompt) :])  # a character that the prompt leaves open
    for (ids,) in writer.draw(prompt, config, 1):
        if piece := text.feed(row.take(ids.tolist())):
            yield piece
        if row.stopped:
            break
    if not config.valid_utf8 and (rest := text.finish()):
        yield rest


def num_pending(data: bytes) -> int:
    """How many bytes at the end of data are the start of a character that is not complete, 0 to 3."""
    return next((n for n in (1, 2, 3) if len(data) >= n and data[-n] >= 0xC0 and state_after(data)), 0)


def _whole_characters(prompt: bytes, content: bytes) -> bytes:
    pending = num_pending(prompt + content)
    return content[: len(content) - min(pending, len(content))]
