"""Handle Ctrl-C, SIGTERM and SIGHUP (closed terminal) as a request to stop, so that the current step is finished and saved first."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class StopRequest:
    """`with StopRequest() as stop:` sets stop.signal at the first signal. A second Ctrl-C raises KeyboardInterrupt as usual.

    Signals that are ignored stay ignored, like SIGHUP under nohup.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        """The number of the first signal; None if there was none."""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            handled = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._on_signal) for number in handled}
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C in this block, so that a third press does not interrupt the message about what was saved."""
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if is_main else None
    try:
        yield
    finally:
        if is_main:
            signal.signal(signal.SIGINT, before)
