"""One text as it grows for a client: in pieces of whole characters, with what each byte surprised the model.

Shapes: S bytes of one step, V ids.
"""

import asyncio
import time
from dataclasses import dataclass, field

import numpy as np

from tavu.config import SamplingConfig
from tavu.engine.native import NativeRow, NativeSampling
from tavu.generation.writing import GrowingText, num_pending
from tavu.vocabulary import END

Top = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Surprise:
    """A byte's log-probability before any temperature, and the likeliest ids in its place with theirs."""

    log_probability: float
    top: Top = ()


@dataclass(frozen=True)
class Piece:
    """Some whole characters of one text, and, with the last of them, how it ended."""

    index: int
    content: bytes
    surprises: tuple[Surprise, ...] = ()
    stopped: str | None = None
    """end, stop, length, time, or failed; None: there is more to come."""


@dataclass
class Order:
    """The texts that one request waits for; its pieces come through `pieces`, of each text in order."""

    prompts: tuple[bytes, ...]
    config: SamplingConfig
    count: int
    num_top: int | None
    """Likeliest ids to tell with each byte; None: no surprises are wanted."""
    seconds: float
    pieces: asyncio.Queue[Piece] = field(default_factory=asyncio.Queue)
    begun: float = field(default_factory=time.monotonic)
    cancelled: bool = False
    read: dict[bytes, NativeRow] = field(default_factory=dict)
    """Prompts of which texts are still to begin, read once for all."""

    @property
    def num_texts(self) -> int:
        return len(self.prompts) * self.count

    @property
    def is_late(self) -> bool:
        return time.monotonic() - self.begun > self.seconds


class Growing:
    """One text of an order, in the batch."""

    def __init__(self, order: Order, index: int):
        self.order, self.index = order, index
        self.prompt = order.prompts[index // order.count]
        self.sampling = NativeSampling(order.config)
        self.row: NativeRow | None = None
        self._dice = np.random.default_rng(order.config.seed + index % order.count)
        self._taking = GrowingText(order.config)
        self._held, self._surprises = b"", list[Surprise]()
        self.begins = True

    def uniforms(self, steps: int) -> np.ndarray:
        return self._dice.random(steps)

    def take(self, ids: np.ndarray, logits: np.ndarray | None) -> Piece:
        """What is sure now that these ids, (S,), are drawn from logits, (S, V)."""
        if logits is not None and self.order.num_top is not None:
            self._surprises += surprises(ids, logits, self.order.num_top)
        content = self._held + self._taking.take(ids.tolist())
        stopped = self._taking.stopped
        self._held = content[len(content) - min(len(content), num_pending(self.prompt + content)) :]
        if stopped and not self.order.config.valid_utf8:
            self._held = b""
        content = content[: len(content) - len(self._held)]
        told, self._surprises = self._surprises[: len(content)], self._surprises[len(content) :]
        return Piece(self.index, content, tuple(told), stopped)

    def cut(self, why: str) -> Piece:
        """The end of a text that was not let end by itself."""
        return Piece(self.index, b"", (), why)


def surprises(ids: np.ndarray, logits: np.ndarray, num_top: int) -> list[Surprise]:
    """Of each id before END, (S,), drawn from logits, (S, V)."""
    ends = np.flatnonzero(ids == END)
    S = int(ends[0]) if len(ends) else len(ids)
    shifted = logits[:S] - logits[:S].max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # (S, V)
    if not num_top:
        return [Surprise(value) for value in logs[np.arange(S), ids[:S]].tolist()]
    best = np.argsort(-logs, axis=1, kind="stable")[:, :num_top]
    return [Surprise(float(logs[s, ids[s]]), tuple((int(id), float(logs[s, id])) for id in best[s])) for s in range(S)]
