"""How much of the budget is used, and what that says of the learning rate, the milestones and the end."""

import math
import time

from tavu.config import TrainConfig


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


def dropout_share(readings: float, num_bytes: int, most: float) -> float:
    """How much is best left out where so long a text is read so many times: the more the oftener and the shorter; nothing of what is read once.

    A rule of thumb, drawn through what was best for 1 MB and for 14 MB (records/LOG.md).

    >>> [round(dropout_share(readings, num_bytes, most=0.3), 2) for readings, num_bytes in ((1, 10**6), (4, 10**6), (8, 14 * 10**6), (99, 10**6))]
    [0.0, 0.2, 0.11, 0.3]
    """
    return min(most, 0.05 * readings / math.sqrt(num_bytes / 1e6)) if readings > 1.5 else 0.0


class Stopwatch:
    """Seconds at work. A gap far longer than the ones before it (the lid was closed, the process stopped) does not count."""

    def __init__(self, seconds: float = 0.0):
        self.seconds = seconds
        self._last = time.monotonic()
        self._usual = math.inf

    def lap(self) -> float:
        """The seconds at work until now. To be called at least once a step."""
        now = time.monotonic()
        gap, self._last = now - self._last, now
        if gap > 30 + 20 * self._usual:
            gap = self._usual
        self._usual = gap if self._usual == math.inf else 0.9 * self._usual + 0.1 * gap
        self.seconds += gap
        return self.seconds


def budget_fraction(config: TrainConfig, step: int, seconds: float) -> float:
    """How much of the budget is used after this many steps and seconds, 0 to 1."""
    used = step / config.steps if config.steps is not None else seconds / (60 * config.minutes)
    return min(1.0, used)
