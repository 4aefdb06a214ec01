"""Continuous batching: one thread owns the engine, and the texts of all clients share each pass over the weights.

A text joins as soon as there is a place, gets as many bytes of each step as every other, and leaves at its end, or when its client does.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable

import numpy as np

from tavu.engine.native import NativeEngine
from tavu.errors import TavuError
from tavu.serving.growing import Growing, Order, Piece
from tavu.serving.limits import Limits
from tavu.serving.metrics import Metrics

STEPS = 8
"""Bytes that each text grows by in a step: fewer and the overhead shows, more and newcomers wait."""
READ_BYTES = 2048
"""Of prompts, between two steps: a long one holds the others up no longer than that, or than itself."""

log = logging.getLogger("tavu.serving")


class Full(Exception):
    """The queue has no place; after so many seconds it may."""

    def __init__(self, seconds: int):
        self.seconds = seconds


class Batcher:
    """The engine's thread, from `start` to `stop`. Orders are put in and cancelled from the event loop's."""

    def __init__(self, engine: NativeEngine, limits: Limits, metrics: Metrics):
        self._engine, self._limits, self._metrics = engine, limits, metrics
        self._waiting: deque[Growing] = deque()
        self._writing: list[Growing] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="tavu-engine", daemon=True)

    @property
    def num_writing(self) -> int:
        return len(self._writing)

    @property
    def num_waiting(self) -> int:
        return len(self._waiting)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def stop(self) -> None:
        """End the thread; texts that are still being written are cut."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def put(self, order: Order) -> None:
        """Let an order's texts wait for their turn. Raises Full when so many cannot."""
        with self._changed:
            if self.num_writing + self.num_waiting + order.num_texts > self._limits.streams + self._limits.queue:
                raise Full(1 + self.num_waiting // self._limits.streams)
            self._waiting.extend(Growing(order, index) for index in range(order.num_texts))
            self._changed.notify()

    def cancel(self, order: Order) -> None:
        """Free the places of an order whose client has left, or has all it wants."""
        order.cancelled = True
        with self._changed:
            self._waiting = deque(text for text in self._waiting if text.order is not order)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._waiting or self._writing)
                if self._stopping:
                    self._deliver([(text, text.cut("failed")) for text in (*self._writing, *self._waiting)])
                    return
            self._writing = [text for text in self._writing if not text.order.cancelled]
            self._attempt(self._admit)
            if self._writing:
                self._attempt(self._step)

    def _attempt(self, what: Callable[[], None]) -> None:
        """Do it; if the engine cannot, the texts under way fail, and the server goes on."""
        try:
            what()
        except Exception as error:
            log.error("the engine failed: %s", error if isinstance(error, TavuError) else type(error).__name__)
            failed, self._writing = self._writing, []
            self._deliver([(text, text.cut("failed")) for text in failed])

    def _admit(self) -> None:
        """Read the prompts of those that there are places for, some at a time."""
        num_read = 0
        while num_read < READ_BYTES and len(self._writing) < self._limits.streams:
            with self._changed:
                if not self._waiting:
                    return
                text = self._waiting.popleft()
                self._writing.append(text)
            order, prompt = text.order, text.prompt
            if prompt not in order.read:
                order.read[prompt] = self._engine.read(prompt, order.config.insist)
                num_read += len(prompt) + 1
                self._metrics.count("read_bytes_total", len(prompt))
            is_last = text.index == order.num_texts - 1
            text.row = order.read[prompt] if is_last else order.read[prompt].copy()
            if is_last:
                order.read.clear()

    def _step(self) -> None:
        """Let every text grow by STEPS bytes."""
        texts = self._writing
        uniforms = np.stack([text.uniforms(STEPS) for text in texts])
        wanted = any(text.order.num_top is not None for text in texts)
        ids, logits = self._engine.step([text.row for text in texts if text.row], [text.sampling for text in texts], uniforms, want_logits=wanted)
        news, going_on = [], []
        for i, text in enumerate(texts):
            piece = text.take(ids[i], None if logits is None else logits[i])
            if not piece.stopped and text.order.is_late:
                piece = Piece(piece.index, piece.content, piece.surprises, "time")
            if text.begins and piece.content:
                text.begins = False
                self._metrics.first_byte(time.monotonic() - text.order.begun)
            self._metrics.count("written_bytes_total", len(piece.content))
            if piece.content or piece.stopped:
                news.append((text, piece))
            if not piece.stopped:
                going_on.append(text)
        self._writing = going_on
        self._deliver(news)

    def _deliver(self, news: list[tuple[Growing, Piece]]) -> None:
        """Hand the pieces of a step to the event loop, all in one call."""
        for _, piece in news:
            if piece.stopped:
                self._metrics.count("texts_total", labels=f'stopped="{piece.stopped}"')

        def hand_over() -> None:
            for text, piece in news:
                text.order.pieces.put_nowait(piece)

        if self._loop and news:
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits any more
                self._loop.call_soon_threadsafe(hand_over)
