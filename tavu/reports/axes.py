"""The axes of the curve: where a value lies and what its ticks say, the same on the page and in the picture."""

import math
from dataclasses import dataclass
from typing import Literal

from tavu.reports.run_folder import RunRecord
from tavu.reports.wording import UNIFORM_BPB

Against = Literal["seconds", "bytes_seen"]


@dataclass(frozen=True)
class Axis:
    title: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    is_log: bool = False

    def place(self, value: float) -> float:
        """Where the value lies, from 0 (low) to 1 (high); values outside stay at the border.

        >>> Axis("", 1, 100, (), is_log=True).place(10)
        0.5
        """
        if self.is_log:
            share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return min(max(share, 0.0), 1.0)


_UNITS: dict[Against, tuple[tuple[float, str], ...]] = {
    "seconds": ((1, "seconds of training"), (60, "minutes of training"), (3600, "hours of training")),
    "bytes_seen": ((1, "bytes read"), (1e3, "kB read"), (1e6, "MB read"), (1e9, "GB read"), (1e12, "TB read")),
}


def progress_axis(record: RunRecord, against: Against) -> Axis:
    """From nothing to as far as the run has come, in the largest unit that leaves two or more of it."""
    reached = [getattr(point, against) for point in (*record.train[-1:], *record.curve[-1:])]
    high = max([value for value in reached if math.isfinite(value)], default=1) or 1
    size, title = max((unit for unit in _UNITS[against] if unit[0] * 2 <= high), default=_UNITS[against][0])
    return Axis(title, 0.0, high, tuple((tick * size, f"{tick:g}") for tick in nice_ticks(0, high / size, 7)))


def bpb_axis(record: RunRecord) -> Axis:
    """Logarithmic, so that an equal share of bits saved is an equal way down, early or late."""
    values = [bound for point in record.curve for bound in error_bar(point.val_bpb, point.standard_error)]
    values += [min(point.train_bpb, 8.5) for point in record.train if point.train_bpb > 0.01]  # NaN fails the test too
    if max(values, default=UNIFORM_BPB) > UNIFORM_BPB / 2:  # a training from nothing: show where nothing is
        values.append(UNIFORM_BPB)
    low, high = min(values), max(values)
    if high / low < 1.1:
        low, high = low * 0.95, high * 1.05
    low, high = low / (high / low) ** 0.05, high * (high / low) ** 0.05
    if high / low < 2.2:
        ticks = nice_ticks(low, high, 7)
    else:
        scale = [digit * 10.0**power for power in range(-2, 3) for digit in (1, 1.5, 2, 3, 4, 6, 8)]
        ticks = [tick for tick in scale if low <= tick <= high]
    return Axis("bits per byte", low, high, tuple((tick, f"{tick:g}") for tick in ticks), is_log=True)


def error_bar(value: float, standard_error: float) -> tuple[float, float]:
    """One standard error down and up; the value itself where the error is unknown."""
    reach = standard_error if math.isfinite(standard_error) else 0.0
    return max(value - reach, 0.01), max(value + reach, 0.01)


def nice_ticks(low: float, high: float, at_most: int) -> list[float]:
    """Round values from low to high, a step of 1, 2 or 5 times a power of ten apart.

    >>> nice_ticks(0, 31, 7), nice_ticks(1.02, 1.09, 4)
    ([0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0], [1.02, 1.04, 1.06, 1.08])
    """
    power = 10.0 ** math.floor(math.log10((high - low) / at_most))
    for step in (power, 2 * power, 5 * power, 10 * power, 20 * power):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < at_most:
            break
    return [round(index * step, 10) for index in range(first, last + 1)]


def train_curve(record: RunRecord, against: Against, at_most: int = 400) -> list[tuple[float, float]]:
    """(how far, train bits per byte): the numbers among the points, neighbours averaged until `at_most` are left."""
    pairs = [(getattr(point, against), point.train_bpb) for point in record.train]
    pairs = [pair for pair in pairs if math.isfinite(pair[0]) and math.isfinite(pair[1])]
    size = math.ceil(len(pairs) / at_most) or 1
    groups = [pairs[start : start + size] for start in range(0, len(pairs), size)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]
