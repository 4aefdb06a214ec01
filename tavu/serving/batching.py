"""Continuous batching: one thread owns the engine and generates the texts of all clients in one batch.

A text joins the batch as soon as a row is free, gets the same number of bytes per step as all others, and leaves when it ends or its client
disconnects. Rows are shared fairly among requests: each gets one before any gets two. A text is paused while its client does not read.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections import Counter

import numpy as np

from tavu.engine.native import NativeEngine, NativeRow
from tavu.errors import TavuError
from tavu.serving.limits import Limits
from tavu.serving.metrics import Metrics
from tavu.serving.streams import Job, Piece, Stream

STEPS = 8
"""Bytes per text and step. Fewer add overhead; with more, new texts wait longer."""
PREFILL_BYTES = 2048
"""At most about this many bytes of prompts are prefilled between two steps, so that they do not hold up other texts."""
MAX_PAUSE_SECONDS = 3.0
"""A client may be paused this long before its texts are ended in favor of waiting ones."""
GRACE_SECONDS = 5.0
"""The time that the engine has to end a text after its time limit."""

log = logging.getLogger("tavu.serving")


class QueueFull(Exception):
    """The queue is full. Retry after `seconds`."""

    def __init__(self, seconds: int):
        self.seconds = seconds


class Stopping(Exception):
    """The server is shutting down and accepts no new jobs."""


class Batcher:
    """Runs the engine in a thread, from `start` to `stop`. The event loop submits jobs, reads their pieces and cancels them."""

    def __init__(self, engine: NativeEngine, limits: Limits, metrics: Metrics):
        self._engine, self._limits, self._metrics = engine, limits, metrics
        self._texts: list[Stream] = []
        """All texts that have not ended, in order of arrival. Those with a row are in progress."""
        self._changed = threading.Condition()
        self._ending = self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="tavu-engine", daemon=True)

    @property
    def num_writing(self) -> int:
        return sum(text.row is not None for text in self._texts)

    @property
    def num_waiting(self) -> int:
        return sum(text.row is None for text in self._texts)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def end_all(self) -> None:
        """End all texts with what has been written so far, and accept no new jobs."""
        with self._changed:
            self._ending = True
            self._changed.notify()

    def stop(self) -> None:
        """Stop the thread. Unfinished texts fail."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def put(self, job: Job) -> None:
        """Add the texts of a job to the queue. Raises QueueFull if they do not fit, and Stopping during shutdown."""
        with self._changed:
            if self._ending or self._stopping:
                raise Stopping
            if len(self._texts) + job.num_texts > self._limits.streams + self._limits.queue:
                raise QueueFull(1 + self.num_waiting // self._limits.streams)
            self._texts += [Stream(job, index) for index in range(job.num_texts)]
            self._changed.notify()

    async def next_piece(self, job: Job) -> Piece:
        """Wait for the next piece of a job's texts. Raises TimeoutError when the engine is far beyond the time limit."""
        async with asyncio.timeout(max(job.begun + job.seconds - time.monotonic(), 0) + GRACE_SECONDS):
            piece = await job.pieces.get()
        with self._changed:
            was_paused = self._is_paused(job)
            job.num_consumed += piece.size
            if was_paused and not self._is_paused(job):
                job.paused_since = None
                self._changed.notify()
        return piece

    def cancel(self, job: Job) -> None:
        """Remove the texts of a job whose client has disconnected or is done."""
        with self._changed:
            self._texts = [text for text in self._texts if text.job is not job]

    def _is_paused(self, job: Job) -> bool:
        return job.num_delivered - job.num_consumed > self._limits.unread_bytes

    def _run(self) -> None:
        while True:
            with self._changed:
                # the timeout is for conditions without notification: a request past its time limit, a client that is paused for too long
                self._changed.wait_for(self._has_work, timeout=0.5 if self._texts else None)
                self._end_expired()
                if self._stopping:
                    return
                texts = self._scheduled()
            if texts:
                self._try_step(texts)

    def _has_work(self) -> bool:
        return self._stopping or bool(self._texts if self._ending else self._scheduled())

    def _scheduled(self) -> list[Stream]:
        """The texts that run in the next step: the first text of each request, then the second of each, and so on. Called with the lock held.

        A text in progress keeps its cache while others run in its place. So up to twice `streams` texts can be in progress; those beyond
        `streams` must belong to requests that have no other.
        """
        ranks, ranked = Counter[Job](), []
        for text in self._texts:
            if not self._is_paused(text.job):
                ranked.append((ranks[text.job], text))
                ranks[text.job] += 1
        begun = Counter(text.job for text in self._texts if text.row is not None)
        scheduled: list[Stream] = []
        for _, text in sorted(ranked, key=lambda one: one[0]):
            if text.row is None and not text.is_echoing:
                if begun.total() >= self._limits.streams * (1 if begun[text.job] else 2):
                    continue
                begun[text.job] += 1
            scheduled.append(text)
            if len(scheduled) == self._limits.streams:
                break
        return scheduled

    def _end_expired(self) -> None:
        """End texts past their time limit. If others wait, also those of the client that is paused longest. Called with the lock held."""
        begun = {text.job for text in self._texts if text.row is not None}
        self._end([text for text in self._texts if self._stopping or (self._ending and text.job not in begun)], "failed")
        self._end([text for text in self._texts if self._ending or text.job.is_late], "time")
        some_wait = any(text.row is None and not self._is_paused(text.job) for text in self._texts)
        if some_wait and self.num_writing >= self._limits.streams:
            longest = max(begun, key=lambda job: job.paused_for)
            if longest.paused_for > MAX_PAUSE_SECONDS:
                self._end([text for text in self._texts if text.job is longest], "time")

    def _try_step(self, texts: list[Stream]) -> None:
        """Prefill and step texts. If the engine fails, they fail, and the server continues."""
        try:
            self._step(self._prefill(texts))
        except Exception as error:
            log.error("the engine failed: %s", error if isinstance(error, TavuError) else type(error).__name__)
            self._end(texts, "failed")

    def _end(self, texts: list[Stream], why: str) -> None:
        self._deliver([(text, text.cut(why)) for text in texts])

    def _prefill(self, texts: list[Stream]) -> list[Stream]:
        """Prefill some more prompts. Returns the texts whose prompts are complete."""
        echoing = [text for text in texts if text.is_echoing]
        if echoing:
            shortest = min(echoing, key=lambda text: text.num_echoed)
            self._deliver([(shortest, shortest.echo(self._engine))])
        num_read, read = 0, dict[tuple[bytes, float], NativeRow]()
        for text in texts:
            job, prompt = text.job, (text.prompt, text.job.config.insist)
            if text.row is not None or text.is_echoing or num_read >= PREFILL_BYTES:
                continue
            if not job.writes:
                if not job.echo:
                    self._end([text], "length")
                continue
            if prompt in read:
                text.row = read[prompt].copy()
            else:
                text.row = read[prompt] = self._engine.read(*prompt)
                num_read += len(text.prompt) + 1
                self._metrics.read_bytes.inc(len(text.prompt))
        return [text for text in texts if text.row is not None]

    def _step(self, texts: list[Stream]) -> None:
        """Generate STEPS bytes of every text."""
        if not texts:
            return
        uniforms = np.stack([text.uniforms(STEPS) for text in texts])
        wanted = any(text.job.num_top is not None for text in texts)
        ids, logits = self._engine.step([text.row for text in texts if text.row], [text.sampling for text in texts], uniforms, want_logits=wanted)
        news = []
        for i, text in enumerate(texts):
            piece = text.take(ids[i], None if logits is None else logits[i])
            if text.awaits_first_byte and piece.content:
                text.awaits_first_byte = False
                self._metrics.first_byte_seconds.observe(time.monotonic() - text.job.begun)
            self._metrics.written_bytes.inc(len(piece.content))
            if piece.content or piece.stopped:
                news.append((text, piece))
        self._deliver(news)

    def _deliver(self, news: list[tuple[Stream, Piece]]) -> None:
        """Pass the pieces of a step to the event loop, all in one call, and remove texts that have ended."""
        ended = {id(text) for text, piece in news if piece.stopped}
        with self._changed:
            self._texts = [text for text in self._texts if id(text) not in ended]
            for text, piece in news:
                text.job.num_delivered += piece.size
                if text.job.paused_since is None and self._is_paused(text.job):
                    text.job.paused_since = time.monotonic()
        for _, piece in news:
            if piece.stopped:
                self._metrics.texts.labels(piece.stopped).inc()

        def hand_over() -> None:
            for text, piece in news:
                text.job.pieces.put_nowait(piece)

        if self._loop and news:
            with contextlib.suppress(RuntimeError):  # the loop is closed, so no client is waiting
                self._loop.call_soon_threadsafe(hand_over)
