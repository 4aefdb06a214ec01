"""Logits to id, pure: the same logits, config and uniforms give the same ids, and a batch row draws what it draws alone.

Shapes: N rows of a batch, V ids. Arrays are numpy's, not torch's: on a row of V numbers each call costs less, and this
runs once per byte written.
Order, as in the Hugging Face processors: repetition penalty, temperature, top-k, top-p, min-p.
Where the uniforms come from, and which ids UTF-8 allows, is left to the decoder and to text.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tavu.config import SamplingConfig
from tavu.errors import TavuError
from tavu.vocabulary import END

GREEDY_BELOW = 1e-6
"""A temperature under this is 0: it is finer than the logits themselves."""

DIVERGED = (
    "The model gives NaN instead of probabilities: its training diverged or its file is damaged. "
    "Use an earlier save, or train with a lower learning rate."
)

REPEAT_BYTES = 12
"""n of the repetition penalty: about two English words and their spaces. A name may come back; a phrase should not."""


def sample(logits: np.ndarray, config: SamplingConfig, uniforms: np.ndarray, allowed: np.ndarray | None = None) -> np.ndarray:
    """One id per row, (N,) int64, drawn by inverting the row's cumulative probability at its uniform; greedy at temperature 0.

    Shapes: logits (N, V) float, uniforms (N,) float in [0, 1), one per row, allowed (N, V) bool, at least one True per row.
    An id of probability 0 is never drawn. Where every allowed logit is -inf, the allowed ids are equally likely.
    Raises TavuError when a logit is NaN.
    """
    logits, peak = _within(logits, allowed)
    if config.temperature < GREEDY_BELOW:
        return logits.argmax(axis=1)
    mass = _weights(logits, peak, config).cumsum(axis=1)  # (N, V) float64
    # Strict on both sides of the edge: an id of weight 0 leaves the mass where it was, so it is never the first above
    # the target; and in float64 uniform * total rounds below total for every uniform < 1, so some id is above.
    return (mass > uniforms[:, None] * mass[:, -1:]).argmax(axis=1)


class RepetitionTracker:
    """The ids that would complete a repeat of REPEAT_BYTES bytes already written, in one row of a batch.

    Subword models punish single tokens; single bytes are letters, so here the unit is a sequence: an id that would
    complete a sequence seen c times has its probability divided by penalty ** c (`penalize`). A loop gains a count at
    each turn, so it ends whatever the model says.

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
        """Counts an id as written. END starts a new document: no sequence runs across it."""
        if id == END:
            self._written = b""
            return
        if len(self._written) == REPEAT_BYTES - 1:
            followers = self._followers.setdefault(self._written, {})
            followers[id] = followers.get(id, 0) + 1
            self._written = self._written[1:]
        self._written += bytes((id,))

    def penalized(self) -> Mapping[int, int]:
        """For each id that would complete a repeat now: how often that sequence was seen."""
        return self._followers.get(self._written, {})


def penalize(logits: np.ndarray, repeats: Sequence[Mapping[int, int]], penalty: float) -> np.ndarray:
    """Logits in which each row's repeats have their probability divided by penalty ** count, (N, V); the input is not changed.

    Shapes: logits (N, V) float; repeats holds N mappings, as RepetitionTracker.penalized gives them.
    Comes before the temperature, so it acts on greedy generation too.
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
    """Logits with -inf where not allowed, (N, V), and their finite peak per row, (N, 1)."""
    if allowed is not None:
        logits = np.where(allowed, logits, -np.inf)
    peak = logits.max(axis=1, keepdims=True)
    if np.isfinite(peak).all():
        return logits, peak
    if np.isnan(peak).any():
        raise TavuError(DIVERGED)
    # Rows whose peak is +inf or -inf: the ids at the peak share everything.
    at_peak = logits == peak if allowed is None else (logits == peak) & allowed
    assert at_peak.any(axis=1).all(), "a row allows no id at all"
    return np.where(np.isfinite(peak), logits, np.where(at_peak, 0.0, -np.inf)), np.where(np.isfinite(peak), peak, 0.0)


def _weights(logits: np.ndarray, peak: np.ndarray, config: SamplingConfig) -> np.ndarray:
    """Probabilities up to a factor per row, (N, V) float64: the likeliest id weighs 1, what is filtered out 0."""
    weights = np.subtract(logits, peak, dtype=np.float64)
    weights /= config.temperature
    np.exp(weights, out=weights)
    if config.top_k is not None or config.top_p is not None:
        order = np.argsort(-logits, axis=1, kind="stable")  # (N, V) ids, likeliest first; of equals the lower id
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
        ranked[:, 1:][mass[:, :-1] >= top_p * mass[:, -1:]] = 0  # those before it already hold top_p
    kept = np.empty_like(weights)
    kept[rows, order] = ranked
    return kept
