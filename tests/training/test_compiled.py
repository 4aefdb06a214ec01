"""Compiled steps give the losses of plain ones, for both designs; a compiler that fails is left out."""

import shutil

import pytest
import torch

from tavu.recipe import override, read_preset, to_recipe
from tavu.training.events import Note
from tavu.training.loop import train

CLOSE = 1e-4
"""Relative, after 20 steps: compiled sums have another order, and training amplifies their rounding."""


def losses(recipe, corpus, folder):
    """The loss of each step, and the notes of the run."""
    seen = []

    def loss_fn(logits, ids):
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids.flatten())
        seen.append(loss.item())
        return loss

    notes = [event.text for event in train(recipe, corpus, folder, loss_fn=loss_fn) if isinstance(event, Note)]
    return seen[-20:], notes  # without the trial step


FIXED = ("model.levels.0.patch_size=4", "model.max_seq_len=64", *(f"model.levels.{i}.{key}" for i in (0, 1) for key in ("dim=16", "num_layers=1")))
FIXED += ("train.batch_bytes=256", "train.valid_bytes=500", "train.device=cpu", "train.precision=fp32", "sample.max_bytes=1")


@pytest.mark.slow  # minutes of a C++ compiler
@pytest.mark.filterwarnings("ignore")  # of torch itself
@pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler")
@pytest.mark.parametrize("design", ["fixed patches", "words"])
def test_compiled_steps_have_the_losses_of_plain_ones(tiny, corpus, tmp_path, design):
    """With words, batches differ in their number of patches."""
    plain, compiled = (
        losses(recipe, corpus, tmp_path / name)
        for name in ("off", "on")
        for recipe in [
            tiny(f"train.compile={name}", "train.dropout=0")
            if design == "words"
            else to_recipe(override(read_preset("megabyte"), [*FIXED, "train.steps=20", f"train.compile={name}"]))
        ]
    )
    assert not compiled[1]
    assert compiled[0] == pytest.approx(plain[0], rel=CLOSE)


def test_a_compiler_that_fails_is_left_out_with_a_note(tiny, corpus, tmp_path, monkeypatch):
    def failing(function, **options):
        def call(*arguments):
            raise RuntimeError("no compiler here")

        return call

    plain = losses(tiny("train.compile=off"), corpus, tmp_path / "off")
    monkeypatch.setattr(torch, "compile", failing)
    compiled = losses(tiny("train.compile=on"), corpus, tmp_path / "on")
    assert compiled == (plain[0], ["Training continues without torch.compile, which failed here: no compiler here"])
