"""The schedule follows the fraction of the budget."""

from tavu.config import TrainConfig
from tavu.training.schedule import Stopwatch, budget_fraction, learning_rate_scale, milestones_reached


def test_every_run_starts_and_ends_at_zero_and_never_leaves_0_to_1():
    config = TrainConfig()
    scales = [learning_rate_scale(i / 1000, config) for i in range(1001)]
    assert scales[0] == scales[-1] == 0 and max(scales) == 1 and min(scales) >= 0
    assert learning_rate_scale(0.5, TrainConfig(warmup_fraction=0, decay_fraction=0)) == 1


def test_milestones_are_reached_in_order_and_the_last_at_the_end():
    config = TrainConfig(milestones=7)
    reached = [milestones_reached(i / 1000, config) for i in range(1001)]
    assert reached == sorted(reached) and reached[0] == 0 and reached[999] == 6 and reached[1000] == 7


def test_budgets_are_time_or_steps():
    assert budget_fraction(TrainConfig(minutes=2.0), 10**6, 30.0) == 0.25
    assert budget_fraction(TrainConfig(minutes=None, steps=8), 2, 1e9) == 0.25
    assert budget_fraction(TrainConfig(minutes=None, steps=8), 9, 0) == 1


def test_time_asleep_does_not_count(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    watch = Stopwatch(5.0)
    for _ in range(3):
        now[0] += 1.0
        watch.lap()
    now[0] += 3600.0  # the lid was closed
    assert watch.lap() == 9.0
    now[0] += 2.0
    assert watch.lap() == 11.0
