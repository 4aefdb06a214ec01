"""A kill at any moment loses at most the time since the last save, and damages no file."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tavu.model_file import load_model
from tests.training.conftest import TINY


def command(out, steps: int, *, resume: bool = False) -> list[str]:
    """A small training with frequent saves, as a shell would start it."""
    wanted = (*TINY, f"train.steps={steps}", "train.save_every_steps=3", "train.milestones=8")
    begin = ["--resume", str(out)] if resume else ["tales:200", "--out", str(out)]
    settings = [word for setting in wanted for word in ("--set", setting)]
    return [sys.executable, "-c", "from tavu.cli.main import main; main()", "train", *begin, *settings]


def run(arguments: list[str]) -> subprocess.Popen:
    return subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})


def saved_at(out: Path) -> float:
    state = out / "state" / "training.safetensors"
    return state.stat().st_mtime if state.exists() else 0.0


def check_kills(tmp_path: Path, kills: int, steps: int) -> None:
    """A run that is killed several times, at random moments, ends with the same model as an uninterrupted one."""
    dice, out = random.Random(0), tmp_path / "cut"
    for _ in range(kills):
        before = saved_at(out)
        process = run(command(out, steps, resume=(out / "recipe.toml").exists()))
        if dice.random() < 0.7:  # somewhere among its steps and saves; else while it starts, or soon after
            while saved_at(out) == before and process.poll() is None:
                time.sleep(0.01)
        time.sleep(dice.random())
        assert process.poll() is None, "it ended before it was killed"
        process.kill()
        process.wait()
    assert run(command(out, steps, resume=(out / "recipe.toml").exists())).wait() == 0
    assert run(command(tmp_path / "whole", steps)).wait() == 0
    one, other = (dict(load_model(tmp_path / name)[0].named_parameters()) for name in ("whole", "cut"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_two_kills(tmp_path, monkeypatch):
    monkeypatch.setenv("TAVU_CACHE", str(tmp_path / "cache"))
    check_kills(tmp_path, kills=2, steps=300)


@pytest.mark.slow
def test_thirty_kills(tmp_path, monkeypatch):
    monkeypatch.setenv("TAVU_CACHE", str(tmp_path / "cache"))
    check_kills(tmp_path, kills=30, steps=3000)
