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
from tavu.training.state import load_counters
from tests.training.conftest import TINY


def command(out, *more):
    settings = [word for setting in (*TINY, "train.steps=120", "train.save_every_steps=3", "train.milestones=8") for word in ("--set", setting)]
    return [sys.executable, "-c", "from tavu.cli.main import main; main()", "train", *more, *settings, *([] if "--resume" in more else ["--out", str(out)])]


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


def kill_until_done(tmp_path, kills: int) -> None:
    begun = time.monotonic()
    assert not run_killed(command(tmp_path / "whole", "tales:200"), 600)
    usual = time.monotonic() - begun
    dice = random.Random(0)
    killed = 0
    out = tmp_path / "cut"
    while True:
        started = (out / "recipe.toml").exists()
        arguments = command(out, "--resume", str(out)) if started else command(out, "tales:200")
        at = dice.uniform(0.4 * usual, 0.8 * usual) if killed < kills else 600
        if not run_killed(arguments, at) or is_finished(out):
            break
        killed += 1
        if (out / "state" / "training.safetensors").exists():
            load_counters(out)
    assert killed > 0
    one, other = (dict(load_model(tmp_path / name)[0].named_parameters()) for name in ("whole", "cut"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not [path for path in out.rglob("*") if path.suffix == ".tmp" and "recipe" in path.name]


def test_two_kills(tmp_path, monkeypatch):
    monkeypatch.setenv("TAVU_CACHE", str(tmp_path / "cache"))
    kill_until_done(tmp_path, 2)


@pytest.mark.slow
def test_thirty_kills(tmp_path, monkeypatch):
    monkeypatch.setenv("TAVU_CACHE", str(tmp_path / "cache"))
    kill_until_done(tmp_path, 30)
