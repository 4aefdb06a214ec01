"""Training for several epochs: how much dropout to use, and when the model overfits despite it."""

import math

from tavu.config import TrainConfig
from tavu.training.events import Milestone

OVERFIT_RATIO = 1.01
"""The model overfits when validation exceeds its best by this factor. Smaller rises may be noise."""


def dropout_rate(epochs: float, num_bytes: int, max_dropout: float) -> float:
    """The dropout rate for a text of num_bytes and a number of epochs: higher for a shorter text and for more epochs, 0 for a single epoch.

    A rule of thumb, fitted to the best rates for 1 MB and 14 MB (records/LOG.md).

    >>> [round(dropout_rate(epochs, num_bytes, max_dropout=0.3), 2) for epochs, num_bytes in ((1, 10**6), (4, 10**6), (8, 14 * 10**6), (99, 10**6))]
    [0.0, 0.2, 0.11, 0.3]
    """
    return min(max_dropout, 0.05 * epochs / math.sqrt(num_bytes / 1e6)) if epochs > 1.5 else 0.0


def has_overfit(milestone: Milestone, best_bpb: float, num_bytes: int, config: TrainConfig) -> bool:
    """Whether validation got worse after the first epoch over num_bytes. Always False if the config allows no dropout, or at the end."""
    has_risen = milestone.validation.bits_per_byte > OVERFIT_RATIO * best_bpb
    return has_risen and milestone.bytes_seen >= num_bytes and config.dropout > 0 and milestone.fraction < 1
