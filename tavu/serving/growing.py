"""One text as it grows for a client: in pieces of whole characters, with what each byte surprised the model.

Shapes: S ids of one step, K likeliest ids, V ids.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tavu.config import SamplingConfig
from tavu.engine.native import NativeRow, NativeSampling
from tavu.generation.writing import GrowingText, num_pending
from tavu.vocabulary import END, NUM_IDS


@dataclass(frozen=True)
class Surprises:
    """The log-probabilities of ids before any temperature, and the likeliest ids in their places with theirs; NaN where nothing was predicted.

    Shapes: ids (S,), log_probabilities (S,), top_ids and top_log_probabilities (S, K).
    """

    ids: np.ndarray
    log_probabilities: np.ndarray
    top_ids: np.ndarray
    top_log_probabilities: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, some: slice) -> "Surprises":
        return Surprises(self.ids[some], self.log_probabilities[some], self.top_ids[some], self.top_log_probabilities[some])


def surprises(ids: np.ndarray, logits: np.ndarray, num_top: int) -> Surprises:
    """Of ids, (S,), and the logits in their places, (S, V)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # (S, V)
    best = np.argsort(-logs, axis=1, kind="stable")[:, :num_top]  # (S, K)
    own = np.take_along_axis(logs, ids[:, None].astype(np.intp), axis=1)[:, 0]
    return Surprises(ids.astype(np.int16), own, best.astype(np.int16), np.take_along_axis(logs, best, axis=1))


def surprises_of_prompt(prompt: bytes, logits: np.ndarray, num_top: int, *, tells_start: bool) -> Surprises:
    """Of a prompt's bytes, from the logits in the place of each, (S, V); where its start is told, END stands before them, which nothing predicts."""
    told = surprises(np.frombuffer(prompt, dtype=np.uint8), logits, num_top)
    if not tells_start:
        return told
    start = Surprises(
        np.array([END], dtype=np.int16),
        np.array([np.nan], dtype=np.float32),
        np.zeros((1, min(num_top, NUM_IDS)), dtype=np.int16),
        np.full((1, min(num_top, NUM_IDS)), np.nan, dtype=np.float32),
    )
    return joined([start, told])


@dataclass(frozen=True)
class Piece:
    """Some whole characters of one text, and, with the last of them, how it ended."""

    index: int
    content: bytes
    surprises: Surprises | None = None
    stopped: str | None = None
    """end, stop, length, time, or failed; None: there is more to come."""

    @property
    def size(self) -> int:
        return max(len(self.content), len(self.surprises or ()), 1)


@dataclass(eq=False)
class Order:
    """The texts that one request waits for; its pieces come through `pieces`, of each text in order."""

    prompts: tuple[bytes, ...]
    config: SamplingConfig
    count: int
    num_top: int | None
    """Likeliest ids to tell with each byte; None: no surprises are wanted."""
    seconds: float
    echo: bool = False
    """The prompts are told before what is written."""
    tells_start: tuple[bool, ...] = ()
    """Of each prompt that came as ids, whether END stood before it."""
    writes: bool = True
    """False where only the prompts are wanted, with their surprises."""
    pieces: asyncio.Queue[Piece] = field(default_factory=asyncio.Queue)
    begun: float = field(default_factory=time.monotonic)
    read: dict[bytes, NativeRow] = field(default_factory=dict)
    """Prompts of which texts are still to begin, read once for all."""
    num_given: int = 0
    """Bytes that were written for the client."""
    num_taken: int = 0
    """Of those, how many its connection has taken."""
    behind_since: float | None = None

    @property
    def num_texts(self) -> int:
        return len(self.prompts) * self.count

    @property
    def prompt_bytes(self) -> int:
        return sum(map(len, self.prompts)) + sum(self.tells_start)

    @property
    def echoed_bytes(self) -> int:
        return self.count * sum(map(len, self.prompts)) if self.echo else 0

    @property
    def behind_for(self) -> float:
        """Seconds since its client has been behind."""
        since = self.behind_since  # which the other thread may change
        return 0.0 if since is None else time.monotonic() - since

    @property
    def is_late(self) -> bool:
        return time.monotonic() - self.begun > self.seconds


class Growing:
    """One text of an order, in the batch."""

    def __init__(self, order: Order, index: int):
        self.order, self.index = order, index
        self.prompt = order.prompts[index // order.count]
        self.tells_start = order.tells_start[index // order.count] if order.tells_start else False
        self.sampling = NativeSampling(order.config)
        self.row: NativeRow | None = None
        self._dice = np.random.default_rng(order.config.seed + index % order.count)
        self._taking = GrowingText(order.config)
        self._held, self._surprises = b"", list[Surprises]()
        self.begins = True

    def uniforms(self, steps: int) -> np.ndarray:
        return self._dice.random(steps)

    def echo(self, logits: np.ndarray | None) -> Piece:
        """The prompt, told again, with its surprises from the logits in the place of each byte, (S, V), where they are wanted."""
        if logits is not None and self.order.num_top is not None:
            self._surprises = [surprises_of_prompt(self.prompt, logits, self.order.num_top, tells_start=self.tells_start)]
        num_held = num_pending(self.prompt) if self.order.writes else 0
        self._held = self.prompt[len(self.prompt) - num_held :]
        return Piece(self.index, self.prompt[: len(self.prompt) - num_held], self._tell(len(self.prompt) - num_held + self.tells_start))

    def take(self, ids: np.ndarray, logits: np.ndarray | None) -> Piece:
        """What is sure now that these ids are drawn, (S,), from logits, (S, V)."""
        before = self._taking.num_drawn
        content = self._held + self._taking.take(ids.tolist())
        stopped = self._taking.stopped
        num_used = self._taking.num_drawn - before + (self.order.echo and stopped == "end")
        if logits is not None and self.order.num_top is not None:
            self._surprises.append(surprises(ids[:num_used], logits[:num_used], self.order.num_top))
        self._held = content[len(content) - min(len(content), num_pending(self.prompt + content)) :]
        if stopped and not self.order.config.valid_utf8:
            self._held = b""
        content = content[: len(content) - len(self._held)]
        # harnesses count on one entry for each id of an echo, also for those that are no text: END, and a character cut short
        told = self._tell(None if self.order.echo and stopped in ("end", "length") else len(content))
        return Piece(self.index, content, told, stopped)

    def cut(self, why: str) -> Piece:
        """The end of a text that was not let end by itself."""
        return Piece(self.index, b"", None, why)

    def _tell(self, num: int | None) -> Surprises | None:
        """The first `num` of the surprises that are not yet told, or all of them."""
        whole = joined(self._surprises)
        if whole is None:
            return None
        num = len(whole) if num is None else num
        self._surprises = [whole[num:]]
        return whole[:num]


def joined(some: Sequence[Surprises]) -> Surprises | None:
    """Surprises one after another; None where there are none."""
    if len(some) < 2:
        return some[0] if some else None
    parts = zip(*((one.ids, one.log_probabilities, one.top_ids, one.top_log_probabilities) for one in some), strict=True)
    return Surprises(*map(np.concatenate, parts))
