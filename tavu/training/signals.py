"""Ctrl-C and SIGTERM as a wish, so that a step is finished and saved before the process ends."""

import signal
import threading
from types import FrameType
from typing import Any


class StopRequest:
    """`with StopRequest() as stop:` sets stop.requested at the first signal; a second Ctrl-C is a KeyboardInterrupt as always."""

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._take) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
