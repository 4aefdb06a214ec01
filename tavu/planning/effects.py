"""What each parameter does, from the complete trials of a sweep: linear models of a figure on the values, fitted by least squares.

The effect of a value is the mean that the additive model predicts for it over all trials, so that it is fair where trials are not a whole grid. Its
uncertainty is the 95 % interval of that mean by Student's t: chance and what the additive model leaves out, both seen in the residuals. A pair of
parameters interacts if terms of both together explain much more than the additive model does; an F test says how easily chance would do the same.

Letters: N trials, K parameters, C columns of a design matrix. `levels` (N, K) holds which value of each parameter a trial has.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Effect:
    """What one value of a parameter does to a figure."""

    mean: float
    """The figure to expect with this value, the other parameters as in the sweep."""
    margin: float
    """Half the width of the 95 % interval of the mean; NaN where there are too few trials to tell."""
    num_trials: int


@dataclass(frozen=True)
class Interaction:
    """How far two parameters are more, or less, than the sum of their effects."""

    one: int
    other: int
    share: float
    """Of the whole variance of the figure, what the pair explains beyond the sum of its effects."""
    p: float
    """How often chance alone would explain as much; NaN where there are too few trials to tell."""


def effects(levels: np.ndarray, figure: np.ndarray) -> list[dict[int, Effect]]:
    """For each parameter (K), value -> effect, of the values that occur.

    >>> both = effects(np.array([[0, 0], [1, 0], [0, 1]]), np.array([1.0, 2.0, 3.0]))
    >>> [{value: round(effect.mean, 2) for value, effect in of.items()} for of in both]
    [{0: 1.67, 1: 2.67}, {0: 1.33, 1: 3.33}]
    """
    from scipy.stats import t as t_distribution  # slow to import

    design = _Design(levels)
    whole = design.matrix
    solution, _, rank, _ = np.linalg.lstsq(whole, figure, rcond=None)
    residuals = figure - whole @ solution
    free = len(figure) - int(rank)
    variance = float(residuals @ residuals) / free if free > 0 else math.nan
    width = float(t_distribution.ppf(0.975, free)) if free > 0 else math.nan
    covariance = np.linalg.pinv(whole.T @ whole)
    result = []
    for parameter in range(levels.shape[1]):
        result.append({})
        for value in np.unique(levels[:, parameter]):
            as_if = levels.copy()
            as_if[:, parameter] = value
            row = design.rows(as_if).mean(axis=0)
            margin = width * math.sqrt(max(0.0, float(row @ covariance @ row)) * variance) if free > 0 else math.nan
            result[-1][int(value)] = Effect(float(row @ solution), margin, int((levels[:, parameter] == value).sum()))
    return result


def interactions(levels: np.ndarray, figure: np.ndarray) -> list[Interaction]:
    """Every pair of parameters whose trials can tell it from the sum of effects, the strongest first. Empty where the figure does not vary."""
    from scipy.stats import f as f_distribution  # slow to import

    spread = float(((figure - figure.mean()) ** 2).sum())
    if spread <= 0:
        return []
    additive = _Design(levels)
    left, rank = _residual(additive.matrix, figure)
    found = []
    for one in range(levels.shape[1]):
        for other in range(one + 1, levels.shape[1]):
            joint = np.hstack([additive.matrix, _joint(additive, levels, one, other)])
            left_of_joint, joint_rank = _residual(joint, figure)
            more, free = joint_rank - rank, len(figure) - joint_rank
            if more == 0:
                continue
            gained = max(0.0, left - left_of_joint)
            p = float(f_distribution.sf(gained / more / max(left_of_joint / free, 1e-300), more, free)) if free > 0 else math.nan
            found.append(Interaction(one, other, gained / spread, p))
    return sorted(found, key=lambda pair: -pair.share)


def cell_means(levels: np.ndarray, figure: np.ndarray, one: int, other: int) -> dict[tuple[int, int], float]:
    """The mean figure of the trials of each combination of two parameters' values."""
    cells: dict[tuple[int, int], list[float]] = {}
    for row, value in zip(levels, figure, strict=True):
        cells.setdefault((int(row[one]), int(row[other])), []).append(float(value))
    return {cell: sum(values) / len(values) for cell, values in cells.items()}


def frontier(points: Sequence[tuple[float, float]]) -> list[int]:
    """The indices of the points (cost, bits per byte) for which no other is as good in both and better in one, by ascending cost.

    >>> frontier([(1, 2.0), (2, 1.5), (3, 1.6), (1, 2.1)])
    [0, 1]
    """
    best, kept = math.inf, []
    for index in sorted(range(len(points)), key=lambda i: points[i]):
        if points[index][1] < best:
            best = points[index][1]
            kept.append(index)
    return kept


class _Design:
    """The additive model's design matrix: a column of ones, and one for each further value of each parameter."""

    def __init__(self, levels: np.ndarray):
        self.columns = [(parameter, value) for parameter in range(levels.shape[1]) for value in np.unique(levels[:, parameter])[1:]]
        self.matrix = self.rows(levels)

    def rows(self, levels: np.ndarray) -> np.ndarray:
        """(N, K) -> (N, C)"""
        indicators = [levels[:, parameter] == value for parameter, value in self.columns]
        return np.stack([np.ones(len(levels)), *indicators], axis=1).astype(float)


def _joint(design: _Design, levels: np.ndarray, one: int, other: int) -> np.ndarray:
    """The columns (N, C) of the values of both parameters together."""
    of_one, of_other = ([column for column in design.columns if column[0] == parameter] for parameter in (one, other))
    both = [(levels[:, one] == a) & (levels[:, other] == b) for _, a in of_one for _, b in of_other]
    return np.stack(both, axis=1).astype(float) if both else np.zeros((len(levels), 0))


def _residual(matrix: np.ndarray, figure: np.ndarray) -> tuple[float, int]:
    """The sum of squares that a linear model leaves, and the rank of its matrix."""
    solution, _, rank, _ = np.linalg.lstsq(matrix, figure, rcond=None)
    residuals = figure - matrix @ solution
    return float(residuals @ residuals), int(rank)
