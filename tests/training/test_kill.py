"""A kill at any moment loses at most the time since the last save, and never a file."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch

from tavu.model_file import load_model
from tavu.training.run_log import is_finished
from tests.training.conftest import TINY


def command(out, steps: int, *, resume: bool = False) -> list[str]:
    """A small training with frequent saves, as a shell would start it."""
    wanted = (*TINY, f"train.steps={steps}", "train.save_every_steps=3", "train.milestones=8")
    begin = ["--resume", str(out)] if resume else ["tales:200", "--out", str(out)]
    settings = [word for setting in wanted for word in ("--set", setting)]
    return [sys.executable, "-c", "from tavu.cli.main import main; main()", "train", *begin, *settings]


def run_killed(arguments, after: float) -> bool:
    """Whether the process was still running when it was killed."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        process.wait(after)
        assert process.returncode == 0, process.stderr.read().decode()
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    finally:
        process.stderr.close()


def seconds(arguments) -> float:
    begun = time.monotonic()
    assert not run_killed(arguments, 600)
    return time.monotonic() - begun


def check_kills(tmp_path, kills: int, steps: int) -> None:
    """One training killed so many times, at random moments from before its first save on, ends with the model of another left in peace."""
    start = seconds(command(tmp_path / "short", 1))
    work = max(0.0, seconds(command(tmp_path / "whole", steps)) - start)
    dice, out = random.Random(0), tmp_path / "cut"
    for _ in range(kills):
        after = 0.6 * start + dice.random() * (0.4 * start + work / kills)
        assert run_killed(command(out, steps, resume=(out / "recipe.toml").exists()), after), "it ended before it was killed often enough"
    assert not is_finished(out)
    seconds(command(out, steps, resume=(out / "recipe.toml").exists()))
    one, other = (dict(load_model(tmp_path / name)[0].named_parameters()) for name in ("whole", "cut"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_two_kills(tmp_path, monkeypatch):
    monkeypatch.setenv("TAVU_CACHE", str(tmp_path / "cache"))
    check_kills(tmp_path, kills=2, steps=120)


@pytest.mark.slow
def test_thirty_kills(tmp_path, monkeypatch):
    monkeypatch.setenv("TAVU_CACHE", str(tmp_path / "cache"))
    check_kills(tmp_path, kills=30, steps=1500)
