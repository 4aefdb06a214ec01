"""How much of the budget is used, and what that says of the learning rate, the milestones and the end."""

import math
import threading
import time

from tavu.config import TrainConfig

BEAT_SECONDS, LONG_PAUSE_SECONDS, IDLE_SHARE = 1.0, 5.0, 0.5


def learning_rate_scale(fraction: float, config: TrainConfig) -> float:
    """What the learning rates are multiplied by once this fraction of the budget is used: up, flat, and down to zero in straight lines.

    >>> config = TrainConfig(warmup_fraction=0.1, decay_fraction=0.5)
    >>> [learning_rate_scale(f, config) for f in (0.05, 0.3, 0.75, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    up = fraction / config.warmup_fraction if config.warmup_fraction else 1.0
    down = (1 - fraction) / config.decay_fraction if config.decay_fraction else 1.0
    return max(0.0, min(1.0, up, down))


def milestones_reached(fraction: float, config: TrainConfig) -> int:
    """How many milestones lie within this fraction of the budget: dense at first, when a model learns most, the last at the end.

    >>> [milestones_reached(f, TrainConfig(milestones=4)) for f in (0.0, 1 / 16, 0.5, 1.0)]
    [0, 1, 2, 4]
    """
    return math.floor(config.milestones * math.sqrt(min(1.0, fraction)) + 1e-9)


class Stopwatch:
    """Seconds at work, however long a step takes or waits for a disk, a compiler or an accelerator. `with` it around the work.

    A thread beats every second. It goes on through every wait, but not while the process is stopped (Ctrl-Z, SIGSTOP), nor while the machine sleeps,
    where time.monotonic does not stand still by itself as on Linux and macOS. So a long pause between two beats in which little processor time was
    used (that of the second before it) was none of the work: it counts as one beat. A step that lets no other thread run uses as much as it takes.
    """

    def __init__(self, seconds: float = 0.0):
        self._seconds = seconds
        self._last = time.monotonic(), time.process_time()
        self._lock, self._ended = threading.Lock(), threading.Event()

    def __enter__(self) -> "Stopwatch":
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            self.lap()

    def lap(self) -> float:
        """The seconds at work until now."""
        with self._lock:
            now = time.monotonic(), time.process_time()
            pause, worked = (after - before for after, before in zip(now, self._last, strict=True))
            self._last = now
            self._seconds += BEAT_SECONDS if pause > LONG_PAUSE_SECONDS and worked < IDLE_SHARE * pause else pause
            return self._seconds


def budget_fraction(config: TrainConfig, step: int, seconds: float, aside: float = 0.0) -> float:
    """How much of the budget is used after this many steps and seconds of training, 0 to 1.

    Of a budget in time so many seconds are set aside for what comes before and after training, of which half of the budget is kept free.

    >>> budget_fraction(TrainConfig(minutes=1.0), 0, 20.0, aside=20.0), budget_fraction(TrainConfig(minutes=1.0), 0, 15.0, aside=50.0)
    (0.5, 0.5)
    """
    if config.steps is not None:
        return min(1.0, step / config.steps)
    assert config.minutes is not None, "a config has one budget"
    budget = 60 * config.minutes
    return min(1.0, seconds / max(budget / 2, budget - aside))


def within_budget(config: TrainConfig, num_bytes: int, bytes_per_minute: int) -> int:
    """So many bytes, or as many as a short budget in time has room for."""
    return num_bytes if config.minutes is None else max(1, min(num_bytes, round(config.minutes * bytes_per_minute)))
