"""Sampling: from logits to ids. A pure function of logits, config and uniforms; each row of a batch is sampled as if it were alone.

Shapes: N rows of a batch, V ids. Arrays are numpy, not torch: this runs once per byte, and calls on a row of V numbers
are cheaper in numpy.
The order is that of the Hugging Face processors: repetition penalty, temperature, top-k, top-p, min-p.
The decoder supplies the uniforms, and text.py the ids that UTF-8 allows.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tavu.config import SamplingConfig
from tavu.errors import TavuError
from tavu.vocabulary import END

GREEDY_BELOW = 1e-6
"""A lower temperature counts as 0, since it is below the resolution of the logits."""

DIVERGED = (
    "The model outputs NaN instead of probabilities: its training diverged or its file is damaged. "
    "Use an earlier save, or train with a lower learning rate."
)

REPEAT_BYTES = 12
"""The length of the n-grams of the repetition penalty: about two English words. A name may be repeated, a phrase should not be."""


def sample(logits: np.ndarray, config: SamplingConfig, uniforms: np.ndarray, allowed: np.ndarray | None = None) -> np.ndarray:
    """One id per row, (N,) int64, by inverse transform sampling at the row's uniform; greedy at temperature 0.

    Shapes: logits (N, V) float, uniforms (N,) float in [0, 1), one per row, allowed (N, V) bool, at least one True per row.
    An id of probability 0 is never drawn. If every allowed logit is -inf, the allowed ids are equally likely.
    Raises TavuError when a logit is NaN.
    """
    logits, peak = _within(logits, allowed)
    if config.temperature < GREEDY_BELOW:
        return logits.argmax(axis=1)
    mass = _weights(logits, peak, config).cumsum(axis=1)  # (N, V) float64
    # The comparison is strict: an id of weight 0 does not add to the mass, so it is never the first above the target.
    # And in float64 uniform * total rounds below total for every uniform < 1, so some id is always above.
    return (mass > uniforms[:, None] * mass[:, -1:]).argmax(axis=1)


class RepetitionTracker:
    """Tracks which ids would repeat an n-gram of REPEAT_BYTES bytes in one row of a batch.

    Subword models penalize single tokens. Single bytes are letters, so here the unit is an n-gram: the probability of an
    id that would complete an n-gram seen c times is divided by penalty ** c (`penalize`). In a loop the count grows with
    each iteration, so every loop ends.

    >>> tracker = RepetitionTracker()
    >>> for byte in b"once upon a time, once upon a":
    ...     tracker.feed(byte)
    >>> dict(tracker.penalized()) == {ord(" "): 1}
    True
    """

    def __init__(self) -> None:
        self._written = b""  # the last REPEAT_BYTES - 1 bytes
        self._followers: dict[bytes, dict[int, int]] = {}  # REPEAT_BYTES - 1 bytes -> next byte -> times seen

    def feed(self, id: int) -> None:
        """Add an id that was written. END starts a new document: no n-gram crosses it."""
        if id == END:
            self._written = b""
            return
        if len(self._written) == REPEAT_BYTES - 1:
            followers = self._followers.setdefault(self._written, {})
            followers[id] = followers.get(id, 0) + 1
            self._written = self._written[1:]
        self._written += bytes((id,))

    def penalized(self) -> Mapping[int, int]:
        """The count of the n-gram that each id would complete now, for ids that would repeat one."""
        return self._followers.get(self._written, {})


def penalize(logits: np.ndarray, repeats: Sequence[Mapping[int, int]], penalty: float) -> np.ndarray:
    """Divide the probability of each row's repeats by penalty ** count. Returns logits (N, V); the input is not changed.

    Shapes: logits (N, V) float; repeats holds N mappings, as RepetitionTracker.penalized gives them.
    It is applied before the temperature, so it affects greedy generation too.
    """
    assert len(repeats) == len(logits)
    if penalty == 1 or not any(repeats):
        return logits
    logits = logits.copy()
    for row, counts in enumerate(repeats):
        for id, count in counts.items():
            logits[row, id] -= count * math.log(penalty)
    return logits


def _within(logits: np.ndarray, allowed: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Logits with -inf where not allowed, (N, V), and the finite maximum of each row, (N, 1)."""
    if allowed is not None:
        logits = np.where(allowed, logits, -np.inf)
    peak = logits.max(axis=1, keepdims=True)
    if np.isfinite(peak).all():
        return logits, peak
    if np.isnan(peak).any():
        raise TavuError(DIVERGED)
    # In rows whose maximum is +inf or -inf, the ids at the maximum are equally likely.
    at_peak = logits == peak if allowed is None else (logits == peak) & allowed
    assert at_peak.any(axis=1).all(), "a row allows no id at all"
    return np.where(np.isfinite(peak), logits, np.where(at_peak, 0.0, -np.inf)), np.where(np.isfinite(peak), peak, 0.0)


def _weights(logits: np.ndarray, peak: np.ndarray, config: SamplingConfig) -> np.ndarray:
    """Unnormalized probabilities, (N, V) float64: 1 for the likeliest id, 0 for ids that are filtered out."""
    weights = np.subtract(logits, peak, dtype=np.float64)
    weights /= config.temperature
    np.exp(weights, out=weights)
    if config.top_k is not None or config.top_p is not None:
        order = np.argsort(-logits, axis=1, kind="stable")  # (N, V) ids, likeliest first, ties by id
        weights = _keep_likeliest(weights, order, config.top_k, config.top_p)
    if config.min_p is not None:
        weights[weights < config.min_p] = 0
    return weights


def _keep_likeliest(weights: np.ndarray, order: np.ndarray, top_k: int | None, top_p: float | None) -> np.ndarray:
    rows = np.arange(len(weights))[:, None]
    ranked = weights[rows, order]
    if top_k is not None:
        ranked[:, top_k:] = 0
    if top_p is not None and top_p < 1:
        mass = ranked.cumsum(axis=1)
        ranked[:, 1:][mass[:, :-1] >= top_p * mass[:, -1:]] = 0  # the ids before it already reach top_p
    kept = np.empty_like(weights)
    kept[rows, order] = ranked
    return kept
