"""A text that is read again and again: how much dropout that takes, and when validation says that the model overfits all the same."""

import math

from tavu.config import TrainConfig
from tavu.training.events import Milestone

HAS_RISEN = 1.01
"""Validation over the best so far, beyond what is noise."""


def dropout_share(readings: float, num_bytes: int, most: float) -> float:
    """How much dropout suits a text of so many bytes that is read so many times: more for a shorter one and for more readings, none for one reading.

    A rule of thumb, drawn through what was best for 1 MB and for 14 MB (records/LOG.md).

    >>> [round(dropout_share(readings, num_bytes, most=0.3), 2) for readings, num_bytes in ((1, 10**6), (4, 10**6), (8, 14 * 10**6), (99, 10**6))]
    [0.0, 0.2, 0.11, 0.3]
    """
    return min(most, 0.05 * readings / math.sqrt(num_bytes / 1e6)) if readings > 1.5 else 0.0


def has_overfit(milestone: Milestone, best_bpb: float, num_bytes: int, config: TrainConfig) -> bool:
    """Whether validation has risen since its best while a text of num_bytes is read again, and there is dropout to answer that with."""
    has_risen = milestone.validation.bits_per_byte > HAS_RISEN * best_bpb
    return has_risen and milestone.bytes_seen >= num_bytes and config.dropout > 0 and milestone.fraction < 1
