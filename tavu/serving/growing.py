"""One text as it grows for a client: in pieces of whole characters, with what each byte surprised the model.

Shapes: S ids of one step, K likeliest ids, V ids.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tavu.config import SamplingConfig
from tavu.data.records import Request
from tavu.engine.native import NativeEngine, NativeRow, NativeSampling
from tavu.generation.writing import PartialText, num_pending
from tavu.serving.scoring import Scoring
from tavu.vocabulary import END


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


def document_start(num_top: int) -> Surprises:
    """END, where a document starts, which nothing predicts."""
    ids, values = np.zeros((1, num_top), dtype=np.int16), np.full((1, num_top), np.nan, dtype=np.float32)
    return Surprises(np.array([END], dtype=np.int16), np.array([np.nan], dtype=np.float32), ids, values)


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
    request: Request | None = None
    """What its stories are to have; None where nothing was asked for."""
    openings: tuple[str, ...] = ()
    """What the story of each prompt begins with, where there is a request."""
    writes: bool = True
    """False where only the prompts are wanted, with their surprises."""
    pieces: asyncio.Queue[Piece] = field(default_factory=asyncio.Queue)
    begun: float = field(default_factory=time.monotonic)
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
        self._taking = PartialText(order.config)
        self._held, self._surprises = b"", list[Surprises]()
        self.is_echoing, self.num_echoed = order.echo, 0
        """Whether the prompt is still to be told again, and how many of its bytes are."""
        self._scoring: Scoring | None = None
        self.begins = True

    def uniforms(self, steps: int) -> np.ndarray:
        return self._dice.random(steps)

    def echo(self, engine: NativeEngine) -> Piece:
        """The next of the prompt, told again; where surprises are wanted, as much as is scored at once."""
        start, past, num_top = self.num_echoed, len(self.prompt), self.order.num_top
        if num_top is not None:
            self._scoring = self._scoring or Scoring(engine, self.prompt)
            if self.tells_start and start == 0:
                self._surprises.append(document_start(num_top))
            logits = self._scoring.next_logits()
            past = start + len(logits)
            self._surprises.append(surprises(np.frombuffer(self.prompt[start:past], dtype=np.uint8), logits, num_top))
        is_last = past == len(self.prompt)
        content = self._held + self.prompt[start:past]
        num_held = 0 if is_last and not self.order.writes else num_pending(self.prompt[:past])
        self._held = content[len(content) - num_held :]
        content = content[: len(content) - num_held]
        told = self._tell(len(content) + (self.tells_start and start == 0))
        self.num_echoed, self.is_echoing = past, not is_last
        if is_last:
            self._scoring = None
        return Piece(self.index, content, told, "length" if is_last and not self.order.writes else None)

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
        """The end of a text that was not let end by itself; one whose prompt is told only in part has failed."""
        return Piece(self.index, b"", None, "failed" if self.is_echoing and why == "time" else why)

    def _tell(self, num: int | None) -> Surprises | None:
        """The first `num` of the surprises that are not yet told, or all of them."""
        whole = joined(self._surprises)
        if whole is None:
            return None
        num = len(whole) if num is None else num
        self._surprises = [whole[num:]]
        return whole[:num]


def merged(pieces: Sequence[Piece]) -> Piece:
    """Pieces of one text, one after another, as one."""
    told = joined([piece.surprises for piece in pieces if piece.surprises is not None])
    return Piece(pieces[-1].index, b"".join(piece.content for piece in pieces), told, pieces[-1].stopped)


def joined(some: Sequence[Surprises]) -> Surprises | None:
    """Surprises one after another; None where there are none."""
    if len(some) < 2:
        return some[0] if some else None
    parts = zip(*((one.ids, one.log_probabilities, one.top_ids, one.top_log_probabilities) for one in some), strict=True)
    return Surprises(*map(np.concatenate, parts))
