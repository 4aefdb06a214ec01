"""Generate text from a prompt: one text as a stream, or several as a batch."""

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
    """A model that generates ids: in PyTorch (decoder.py), or in the native engine (engine/native.py)."""

    def draw(self, prompt: bytes, config: SamplingConfig, count: int) -> Iterator[np.ndarray]:
        """An endless iterator over the ids of `count` texts after a prompt, some steps at a time, (count, steps).

        Text i equals a single text with seed config.seed + i. Ids after END are meaningless. The caller decides when to stop.
        """
        ...


@dataclass(frozen=True)
class Written:
    """The text that a model wrote after a prompt."""

    content: bytes
    stopped: FinishReason
    """Why it stopped: END, max_bytes, or a stop string, which is not part of the content."""
    seconds: float

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", errors="replace")

    @property
    def bytes_per_second(self) -> float:
        return len(self.content) / max(self.seconds, 1e-9)


class PartialText:
    """A text that is being generated: applies END, stop strings and max_bytes to the ids that are drawn."""

    def __init__(self, config: SamplingConfig):
        self.config = config
        self.stops = StopStrings(config.stop)
        self.num_drawn = 0
        self.stopped: FinishReason | None = None

    def take(self, ids: list[int]) -> bytes:
        """Add ids that were drawn. Returns the bytes that are now certain to be part of the text. Ids after it has stopped are ignored."""
        certain = b""
        for id in ids:
            if self.stopped:
                break
            if id == END:
                self.stopped = "end"
                return certain + self.stops.flush()
            self.num_drawn += 1
            more, found = self.stops.feed(bytes((id,)))
            certain += more
            if found:
                self.stopped = "stop"
            elif self.num_drawn == self.config.max_bytes:
                self.stopped = "length"
                certain += self.stops.flush()
        return certain


def write(writer: Writer, prompt: bytes, config: SamplingConfig, *, count: int = 1) -> list[Written]:
    """`count` continuations of a prompt, generated as one batch. Text i equals the text of count=1 with seed config.seed + i.

    With config.valid_utf8 a text never ends in half a character: one that max_bytes cuts is dropped.
    """
    begun = time.perf_counter()
    rows = [PartialText(config) for _ in range(count)]
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
    """The text of `write`, in pieces as soon as they are certain: never half a character or part of a stop string."""
    row, text = PartialText(config), TextStream()
    text.feed(prompt[len(prompt) - num_pending(prompt) :])  # an incomplete character at the end of the prompt
    for (ids,) in writer.draw(prompt, config, 1):
        if piece := text.feed(row.take(ids.tolist())):
            yield piece
        if row.stopped:
            break
    if not config.valid_utf8 and (rest := text.finish()):
        yield rest


def num_pending(data: bytes) -> int:
    """The number of bytes of an incomplete character at the end of data, 0 to 3."""
    return next((n for n in (1, 2, 3) if len(data) >= n and data[-n] >= 0xC0 and state_after(data)), 0)


def _whole_characters(prompt: bytes, content: bytes) -> bytes:
    pending = num_pending(prompt + content)
    return content[: len(content) - min(pending, len(content))]
