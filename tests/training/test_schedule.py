"""The schedule follows the fraction of the budget."""

import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def simulated_clocks(monkeypatch):
    """pass_by(seconds, of_work) advances both clocks that a stopwatch reads."""
    now = [100.0, 7.0]
    clocks = SimpleNamespace(monotonic=lambda: now[0], process_time=lambda: now[1])
    monkeypatch.setattr("tavu.training.schedule.time", clocks)  # only there: servers of other tests need the real clocks

    def pass_by(seconds: float, of_work: float) -> None:
        now[0], now[1] = now[0] + seconds, now[1] + of_work

    return pass_by


@given(st.lists(st.tuples(st.floats(1e-6, 300), st.floats(0, 8)), max_size=10))
def test_training_time_counts_however_long_a_step_takes(steps):
    with pytest.MonkeyPatch.context() as patch:
        pass_by = simulated_clocks(patch)
        watch, total = Stopwatch(5.0), 5.0
        for seconds, processors in steps:
            for beat in [1.0] * int(seconds) + [seconds % 1]:
                pass_by(beat, beat * processors)
                watch.lap()
            total += seconds
        assert watch.lap() == pytest.approx(total)


def test_stopped_time_does_not_count_and_waiting_does(monkeypatch):
    """While the process is stopped there are no ticks. While it waits, however long, they continue."""
    pass_by = simulated_clocks(monkeypatch)
    watch = Stopwatch(5.0)
    for seconds, work in ((1.0, 1.0), (3600.0, 2.0), (31.0, 30.0), (1e-6, 0.0), (8.0, 2.0)):
        pass_by(seconds, work)
        watch.lap()
    assert watch.lap() == pytest.approx(5 + 1 + 1 + 31 + 1)
    for _ in range(40):
        pass_by(1.1, 0.0)  # waiting, one tick per second
        watch.lap()
    assert watch.lap() == pytest.approx(39 + 44)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no such signal here")
def test_a_stopped_process_keeps_its_time():
    script = """
import time
from tavu.training import schedule
schedule.TICK_SECONDS, schedule.LONG_GAP_SECONDS = 0.2, 1.0
with schedule.Stopwatch() as watch:
    begun = time.monotonic()
    print("begun", flush=True)
    while time.monotonic() - begun < 3:
        time.sleep(0.1)  # waits, with hardly any processor time
    print(watch.lap(), flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGSTOP)
    time.sleep(2.5)
    process.send_signal(signal.SIGCONT)
    assert float(process.communicate(timeout=60)[0]) < 2


@given(st.floats(0.01, 1e4), st.floats(0, 1e5))
def test_at_least_half_of_a_budget_is_for_training(minutes, overhead):
    config = TrainConfig(minutes=minutes)
    assert budget_fraction(config, 0, 0.499 * 60 * minutes, overhead) < 1
    assert budget_fraction(config, 0, 60 * minutes, overhead) == 1
