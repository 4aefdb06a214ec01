"""Ctrl-C, SIGTERM and a closed terminal (SIGHUP) as a wish, so that a step is finished and saved before the process ends."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class StopRequest:
    """`with StopRequest() as stop:` sets stop.signal at the first signal; a second Ctrl-C is a KeyboardInterrupt as always.

    A signal that is ignored stays so: nohup has the terminal's end ignored.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        """Which came; None: none yet."""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            heard = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._take) for number in heard}
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Meanwhile Ctrl-C does nothing: who has pressed it twice may press it again, and is told what was saved."""
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if is_main else None
    try:
        yield
    finally:
        if is_main:
            signal.signal(signal.SIGINT, before)
