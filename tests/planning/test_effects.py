"""The laws of the effects: they recover what a synthetic figure was made of, and their intervals cover it."""

import itertools
import math

import numpy as np
import pytest

from tavu.planning.effects import cell_means, effects, frontier, interactions

GRID = np.array(list(itertools.product(range(2), range(3), range(2))))


def additive(levels):
    return 1.5 + np.array([0.0, -0.2])[levels[:, 0]] + np.array([0.0, 0.1, 0.3])[levels[:, 1]]


def test_effects_of_an_additive_figure_are_exact():
    first, second, third = effects(GRID, additive(GRID))
    assert first[1].mean - first[0].mean == pytest.approx(-0.2)
    assert second[2].mean - second[0].mean == pytest.approx(0.3)
    assert third[1].mean == pytest.approx(third[0].mean)
    assert max(effect.margin for effect in first.values()) < 1e-9 and first[0].num_trials == 6


def test_effects_are_fair_where_trials_are_not_a_grid():
    """Good values of one parameter were tried mostly with good values of the other, as TPE does."""
    levels = np.array([[0, 0], [0, 0], [0, 1], [1, 1], [1, 1], [1, 2], [1, 2], [0, 2]])
    first, _ = effects(levels, additive(levels))
    assert first[1].mean - first[0].mean == pytest.approx(-0.2)


def test_intervals_cover_the_truth():
    noise, covered = np.random.default_rng(0), 0
    for _ in range(400):
        of = effects(GRID, additive(GRID) + noise.normal(0, 0.05, len(GRID)))[0][0]
        covered += abs(of.mean - (1.5 + 0.4 / 3)) <= of.margin
    assert 0.92 <= covered / 400 <= 0.98


def test_as_many_trials_as_unknowns_tell_no_uncertainty():
    assert math.isnan(effects(np.array([[0], [1]]), np.array([1.0, 2.0]))[0][0].margin)


def test_a_pair_that_interacts_is_found_and_others_are_not():
    levels = np.concatenate([GRID, GRID])
    noise = np.random.default_rng(1).normal(0, 0.01, len(levels))
    figure = additive(levels) + 0.3 * (levels[:, 0] == 1) * (levels[:, 2] == 1) + noise
    strongest, *others = interactions(levels, figure)
    assert (strongest.one, strongest.other) == (0, 2) and strongest.p < 0.001
    assert all(pair.p > 0.01 and pair.share < 0.01 for pair in others) and len(others) == 2
    assert cell_means(levels, figure, 0, 2)[1, 1] == pytest.approx(1.5 - 0.2 + 0.4 / 3 + 0.3, abs=0.02)


def test_a_figure_that_never_differs_has_no_interactions():
    assert interactions(GRID, np.ones(len(GRID))) == []


def test_the_frontier_has_no_trial_that_another_beats():
    points = [(3.0, 1.0), (1.0, 2.0), (2.0, 2.5), (2.0, 1.5), (4.0, 1.0)]
    assert frontier(points) == [1, 3, 0]
