"""The schedule: learning rate and milestones as functions of the fraction of the budget that is used."""

import math
import threading
import time

from tavu.config import TrainConfig

TICK_SECONDS, LONG_GAP_SECONDS, IDLE_SHARE = 1.0, 5.0, 0.5


def learning_rate_scale(fraction: float, config: TrainConfig) -> float:
    """The factor of all learning rates at this fraction of the budget: linear warmup, constant, then linear decay to zero.

    >>> config = TrainConfig(warmup_fraction=0.1, decay_fraction=0.5)
    >>> [learning_rate_scale(f, config) for f in (0.05, 0.3, 0.75, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    up = fraction / config.warmup_fraction if config.warmup_fraction else 1.0
    down = (1 - fraction) / config.decay_fraction if config.decay_fraction else 1.0
    return max(0.0, min(1.0, up, down))


def milestones_reached(fraction: float, config: TrainConfig) -> int:
    """The number of milestones due at this fraction of the budget. They are dense at first, when a model learns most; the last is at the end.

    >>> [milestones_reached(f, TrainConfig(milestones=4)) for f in (0.0, 1 / 16, 0.5, 1.0)]
    [0, 1, 2, 4]
    """
    return math.floor(config.milestones * math.sqrt(min(1.0, fraction)) + 1e-9)


class Stopwatch:
    """Measures training time, without the time in which the process is stopped or the machine sleeps. Use it as a context manager.

    A thread ticks every second. It keeps ticking while a step waits for a disk, a compiler or an accelerator, but not while the process is stopped
    (Ctrl-Z, SIGSTOP) or the machine sleeps (on Linux and macOS time.monotonic pauses then anyway). So a long gap between two ticks with little
    processor time is not training time: it counts as one tick. A step that blocks all other threads uses processor time for as long as it takes.
    """

    def __init__(self, seconds: float = 0.0):
        self._seconds = seconds
        self._last = time.monotonic(), time.process_time()
        self._lock, self._ended = threading.Lock(), threading.Event()

    def __enter__(self) -> "Stopwatch":
        threading.Thread(target=self._tick, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()

    def _tick(self) -> None:
        while not self._ended.wait(TICK_SECONDS):
            self.lap()

    def lap(self) -> float:
        """Seconds of training time so far."""
        with self._lock:
            now = time.monotonic(), time.process_time()
            gap, worked = (after - before for after, before in zip(now, self._last, strict=True))
            self._last = now
            self._seconds += TICK_SECONDS if gap > LONG_GAP_SECONDS and worked < IDLE_SHARE * gap else gap
            return self._seconds


def budget_fraction(config: TrainConfig, step: int, seconds: float, overhead: float = 0.0) -> float:
    """The fraction of the budget that is used after this many steps and seconds of training, 0 to 1.

    A budget in time also covers `overhead`, the seconds before and after training. At least half of the budget is always left for training.

    >>> budget_fraction(TrainConfig(minutes=1.0), 0, 20.0, overhead=20.0), budget_fraction(TrainConfig(minutes=1.0), 0, 15.0, overhead=50.0)
    (0.5, 0.5)
    """
    if config.steps is not None:
        return min(1.0, step / config.steps)
    assert config.minutes is not None, "a config has one budget"
    budget = 60 * config.minutes
    return min(1.0, seconds / max(budget / 2, budget - overhead))


def within_budget(config: TrainConfig, num_bytes: int, bytes_per_minute: int) -> int:
    """num_bytes, or fewer when a short time budget allows only bytes_per_minute times its minutes."""
    return num_bytes if config.minutes is None else max(1, min(num_bytes, round(config.minutes * bytes_per_minute)))
