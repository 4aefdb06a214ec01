"""Jobs and their streams: a stream is one text that is generated for a client, in pieces of whole characters, with log-probabilities.

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
from tavu.serving.scoring import PromptScorer
from tavu.vocabulary import END


@dataclass(frozen=True)
class Logprobs:
    """The log-probabilities of ids at temperature 1, and the likeliest ids at each position with theirs. NaN if nothing was predicted.

    Shapes: ids (S,), log_probabilities (S,), top_ids and top_log_probabilities (S, K).
    """

    ids: np.ndarray
    log_probabilities: np.ndarray
    top_ids: np.ndarray
    top_log_probabilities: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, some: slice) -> "Logprobs":
        return Logprobs(self.ids[some], self.log_probabilities[some], self.top_ids[some], self.top_log_probabilities[some])


def compute_logprobs(ids: np.ndarray, logits: np.ndarray, num_top: int) -> Logprobs:
    """The log-probabilities of ids (S,), from the logits at their positions (S, V)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # (S, V)
    best = np.argsort(-logs, axis=1, kind="stable")[:, :num_top]  # (S, K)
    own = np.take_along_axis(logs, ids[:, None].astype(np.intp), axis=1)[:, 0]
    return Logprobs(ids.astype(np.int16), own, best.astype(np.int16), np.take_along_axis(logs, best, axis=1))


def document_start(num_top: int) -> Logprobs:
    """The entry of END at the start of a document, which is not predicted."""
    ids, values = np.zeros((1, num_top), dtype=np.int16), np.full((1, num_top), np.nan, dtype=np.float32)
    return Logprobs(np.array([END], dtype=np.int16), np.array([np.nan], dtype=np.float32), ids, values)


@dataclass(frozen=True)
class Piece:
    """Some whole characters of one text. The last piece says why the text stopped."""

    index: int
    content: bytes
    logprobs: Logprobs | None = None
    stopped: str | None = None
    """end, stop, length, time, or failed. None if the text continues."""

    @property
    def size(self) -> int:
        return max(len(self.content), len(self.logprobs or ()), 1)


@dataclass(eq=False)
class Job:
    """The texts of one HTTP request. Their pieces arrive in the queue `pieces`, those of each text in order."""

    prompts: tuple[bytes, ...]
    config: SamplingConfig
    count: int
    num_top: int | None
    """The number of likeliest ids to report with each byte. None if no log-probabilities are wanted."""
    seconds: float
    echo: bool = False
    """Whether the response repeats the prompts before the generated text."""
    starts_with_end: tuple[bool, ...] = ()
    """For each prompt, whether it was sent with END before it."""
    request: Request | None = None
    """The story request, if any."""
    openings: tuple[str, ...] = ()
    """The opening of the story for each prompt, if there is a story request."""
    writes: bool = True
    """False if only the prompts are scored and nothing is generated."""
    pieces: asyncio.Queue[Piece] = field(default_factory=asyncio.Queue)
    begun: float = field(default_factory=time.monotonic)
    num_delivered: int = 0
    """Bytes that were put into the queue."""
    num_consumed: int = 0
    """Bytes that the connection has taken from it."""
    paused_since: float | None = None

    @property
    def num_texts(self) -> int:
        return len(self.prompts) * self.count

    @property
    def prompt_bytes(self) -> int:
        return sum(map(len, self.prompts)) + sum(self.starts_with_end)

    @property
    def echoed_bytes(self) -> int:
        return self.count * sum(map(len, self.prompts)) if self.echo else 0

    @property
    def paused_for(self) -> float:
        """How long it has been paused, in seconds; 0 if it is not."""
        since = self.paused_since  # a copy: the other thread may change it
        return 0.0 if since is None else time.monotonic() - since

    @property
    def is_late(self) -> bool:
        return time.monotonic() - self.begun > self.seconds


class Stream:
    """One text of a job: its row in the batch, and what was generated but not yet delivered."""

    def __init__(self, job: Job, index: int):
        self.job, self.index = job, index
        self.prompt = job.prompts[index // job.count]
        self.starts_with_end = job.starts_with_end[index // job.count] if job.starts_with_end else False
        self.sampling = NativeSampling(job.config)
        self.row: NativeRow | None = None
        self._rng = np.random.default_rng(job.config.seed + index % job.count)
        self._text = PartialText(job.config)
        self._held, self._pending = b"", list[Logprobs]()
        self.is_echoing, self.num_echoed = job.echo, 0
        """Whether the prompt is still being echoed, and how many of its bytes have been."""
        self._scorer: PromptScorer | None = None
        self.awaits_first_byte = True

    def uniforms(self, steps: int) -> np.ndarray:
        return self._rng.random(steps)

    def echo(self, engine: NativeEngine) -> Piece:
        """The next piece of the echoed prompt. With log-probabilities, it is the part that is scored at once."""
        start, past, num_top = self.num_echoed, len(self.prompt), self.job.num_top
        if num_top is not None:
            self._scorer = self._scorer or PromptScorer(engine, self.prompt)
            if self.starts_with_end and start == 0:
                self._pending.append(document_start(num_top))
            logits = self._scorer.next_logits()
            past = start + len(logits)
            self._pending.append(compute_logprobs(np.frombuffer(self.prompt[start:past], dtype=np.uint8), logits, num_top))
        is_last = past == len(self.prompt)
        content = self._held + self.prompt[start:past]
        num_held = 0 if is_last and not self.job.writes else num_pending(self.prompt[:past])
        self._held = content[len(content) - num_held :]
        content = content[: len(content) - num_held]
        logprobs = self._take_logprobs(len(content) + (self.starts_with_end and start == 0))
        self.num_echoed, self.is_echoing = past, not is_last
        if is_last:
            self._scorer = None
        return Piece(self.index, content, logprobs, "length" if is_last and not self.job.writes else None)

    def take(self, ids: np.ndarray, logits: np.ndarray | None) -> Piece:
        """Add ids (S,) that were drawn from logits (S, V). Returns the piece that is now certain."""
        before = self._text.num_drawn
        content = self._held + self._text.take(ids.tolist())
        stopped = self._text.stopped
        num_used = self._text.num_drawn - before + (self.job.echo and stopped == "end")
        if logits is not None and self.job.num_top is not None:
            self._pending.append(compute_logprobs(ids[:num_used], logits[:num_used], self.job.num_top))
        self._held = content[len(content) - min(len(content), num_pending(self.prompt + content)) :]
        if stopped and not self.job.config.valid_utf8:
            self._held = b""
        content = content[: len(content) - len(self._held)]
        # evaluation harnesses expect one entry per id with echo, including ids without text: END, and an incomplete character
        logprobs = self._take_logprobs(None if self.job.echo and stopped in ("end", "length") else len(content))
        return Piece(self.index, content, logprobs, stopped)

    def cut(self, why: str) -> Piece:
        """The last piece of a text that is ended early. It has failed if its prompt was not fully echoed."""
        return Piece(self.index, b"", None, "failed" if self.is_echoing and why == "time" else why)

    def _take_logprobs(self, num: int | None) -> Logprobs | None:
        """Remove and return the first `num` pending log-probabilities, or all of them."""
        whole = concatenate(self._pending)
        if whole is None:
            return None
        num = len(whole) if num is None else num
        self._pending = [whole[num:]]
        return whole[:num]


def merge(pieces: Sequence[Piece]) -> Piece:
    """Merge consecutive pieces of one text."""
    logprobs = concatenate([piece.logprobs for piece in pieces if piece.logprobs is not None])
    return Piece(pieces[-1].index, b"".join(piece.content for piece in pieces), logprobs, pieces[-1].stopped)


def concatenate(some: Sequence[Logprobs]) -> Logprobs | None:
    """Concatenate log-probabilities; None if there are none."""
    if len(some) < 2:
        return some[0] if some else None
    parts = zip(*((one.ids, one.log_probabilities, one.top_ids, one.top_log_probabilities) for one in some), strict=True)
    return Logprobs(*map(np.concatenate, parts))
