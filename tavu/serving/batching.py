"""Continuous batching: one thread owns the engine, and the texts of all clients share each pass over the weights.

A text joins as soon as there is a place, gets as many bytes of each step as every other, and leaves at its end, or when its client does.
Places are shared among requests, not texts: each has one before any has two. A text rests while its client does not read.
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
from tavu.serving.growing import Growing, Order, Piece
from tavu.serving.limits import Limits
from tavu.serving.metrics import Metrics

STEPS = 8
"""Bytes that each text grows by in a step: fewer and the overhead shows, more and newcomers wait."""
READ_BYTES = 2048
"""Of prompts, between two steps: a long one holds the others up no longer than that, or than itself."""
PATIENCE = 3.0
"""Seconds that a client may be behind before its texts end to make room for those of others."""
LATE = 5.0
"""Seconds that the engine may take to end a text whose time is over."""

log = logging.getLogger("tavu.serving")


class Full(Exception):
    """The queue has no place; after so many seconds it may."""

    def __init__(self, seconds: int):
        self.seconds = seconds


class Stopping(Exception):
    """The server has been told to stop, and begins nothing new."""


class Batcher:
    """The engine's thread, from `start` to `stop`. Orders are put in, taken from and cancelled from the event loop's."""

    def __init__(self, engine: NativeEngine, limits: Limits, metrics: Metrics):
        self._engine, self._limits, self._metrics = engine, limits, metrics
        self._texts: list[Growing] = []
        """All that have not ended, in the order in which they came; those with a row have begun."""
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
        """Let every text end with what is written of it, and begin no more."""
        with self._changed:
            self._ending = True
            self._changed.notify()

    def stop(self) -> None:
        """End the thread; texts that are still being written are cut."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def put(self, order: Order) -> None:
        """Let an order's texts wait for their turn. Raises Full when so many cannot, and Stopping when none can any more."""
        with self._changed:
            if self._ending or self._stopping:
                raise Stopping
            if len(self._texts) + order.num_texts > self._limits.streams + self._limits.queue:
                raise Full(1 + self.num_waiting // self._limits.streams)
            self._texts += [Growing(order, index) for index in range(order.num_texts)]
            self._changed.notify()

    async def next_piece(self, order: Order) -> Piece:
        """What comes next of an order's texts, as soon as there is something. Raises TimeoutError where the engine has long been late."""
        async with asyncio.timeout(max(order.begun + order.seconds - time.monotonic(), 0) + LATE):
            piece = await order.pieces.get()
        with self._changed:
            was_behind = self._is_behind(order)
            order.num_taken += piece.size
            if was_behind and not self._is_behind(order):
                order.behind_since = None
                self._changed.notify()
        return piece

    def cancel(self, order: Order) -> None:
        """Free the places of an order whose client has left, or has all it wants."""
        with self._changed:
            self._texts = [text for text in self._texts if text.order is not order]

    def _is_behind(self, order: Order) -> bool:
        return order.num_given - order.num_taken > self._limits.unread_bytes

    def _run(self) -> None:
        while True:
            with self._changed:
                # the timeout is for what no notice tells of: a request that is late, a client that has been behind for too long
                self._changed.wait_for(self._has_work, timeout=0.5 if self._texts else None)
                self._end_some()
                if self._stopping:
                    return
                texts = self._growing()
            if texts:
                self._attempt(texts)

    def _has_work(self) -> bool:
        return self._stopping or bool(self._texts if self._ending else self._growing())

    def _growing(self) -> list[Growing]:
        """The texts that have places: of every request the first, then of every request the second, and so on. Called with the lock held.

        What has begun keeps its memory while others have its place, so there is room for as many again, but of a request that has none only.
        """
        ranks, ranked = Counter[Order](), []
        for text in self._texts:
            if not self._is_behind(text.order):
                ranked.append((ranks[text.order], text))
                ranks[text.order] += 1
        begun = Counter(text.order for text in self._texts if text.row is not None)
        growing: list[Growing] = []
        for _, text in sorted(ranked, key=lambda one: one[0]):
            if text.row is None and not text.is_echoing:
                if begun.total() >= self._limits.streams * (1 if begun[text.order] else 2):
                    continue
                begun[text.order] += 1
            growing.append(text)
            if len(growing) == self._limits.streams:
                break
        return growing

    def _end_some(self) -> None:
        """End the texts whose time is over, and where others wait for room those whose client has not read for longest. Called with the lock held."""
        begun = {text.order for text in self._texts if text.row is not None}
        self._end([text for text in self._texts if self._stopping or (self._ending and text.order not in begun)], "failed")
        self._end([text for text in self._texts if self._ending or text.order.is_late], "time")
        some_wait = any(text.row is None and not self._is_behind(text.order) for text in self._texts)
        if some_wait and self.num_writing >= self._limits.streams:
            longest = max(begun, key=lambda order: order.behind_for)
            if longest.behind_for > PATIENCE:
                self._end([text for text in self._texts if text.order is longest], "time")

    def _attempt(self, texts: list[Growing]) -> None:
        """Let texts begin and grow; if the engine cannot, they fail, and the server goes on."""
        try:
            self._step(self._begun(texts))
        except Exception as error:
            log.error("the engine failed: %s", error if isinstance(error, TavuError) else type(error).__name__)
            self._end(texts, "failed")

    def _end(self, texts: list[Growing], why: str) -> None:
        self._deliver([(text, text.cut(why)) for text in texts])

    def _begun(self, texts: list[Growing]) -> list[Growing]:
        """Those of the texts whose prompts are read, after some more prompts are."""
        echoing = [text for text in texts if text.is_echoing]
        if echoing:
            shortest = min(echoing, key=lambda text: text.num_echoed)
            self._deliver([(shortest, shortest.echo(self._engine))])
        num_read, read = 0, dict[tuple[bytes, float], NativeRow]()
        for text in texts:
            order, prompt = text.order, (text.prompt, text.order.config.insist)
            if text.row is not None or text.is_echoing or num_read >= READ_BYTES:
                continue
            if not order.writes:
                if not order.echo:
                    self._end([text], "length")
                continue
            if prompt in read:
                text.row = read[prompt].copy()
            else:
                text.row = read[prompt] = self._engine.read(*prompt)
                num_read += len(text.prompt) + 1
                self._metrics.read_bytes.inc(len(text.prompt))
        return [text for text in texts if text.row is not None]

    def _step(self, texts: list[Growing]) -> None:
        """Let every text grow by STEPS bytes."""
        if not texts:
            return
        uniforms = np.stack([text.uniforms(STEPS) for text in texts])
        wanted = any(text.order.num_top is not None for text in texts)
        ids, logits = self._engine.step([text.row for text in texts if text.row], [text.sampling for text in texts], uniforms, want_logits=wanted)
        news = []
        for i, text in enumerate(texts):
            piece = text.take(ids[i], None if logits is None else logits[i])
            if text.begins and piece.content:
                text.begins = False
                self._metrics.first_byte_seconds.observe(time.monotonic() - text.order.begun)
            self._metrics.written_bytes.inc(len(piece.content))
            if piece.content or piece.stopped:
                news.append((text, piece))
        self._deliver(news)

    def _deliver(self, news: list[tuple[Growing, Piece]]) -> None:
        """Hand the pieces of a step to the event loop, all in one call; texts that have ended leave."""
        ended = {id(text) for text, piece in news if piece.stopped}
        with self._changed:
            self._texts = [text for text in self._texts if id(text) not in ended]
            for text, piece in news:
                text.order.num_given += piece.size
                if text.order.behind_since is None and self._is_behind(text.order):
                    text.order.behind_since = time.monotonic()
        for _, piece in news:
            if piece.stopped:
                self._metrics.texts.labels(piece.stopped).inc()

        def hand_over() -> None:
            for text, piece in news:
                text.order.pieces.put_nowait(piece)

        if self._loop and news:
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits any more
                self._loop.call_soon_threadsafe(hand_over)
