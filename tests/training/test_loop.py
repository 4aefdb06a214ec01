"""Laws of training: it learns, it ends when it should, and a resumed run equals an uninterrupted one."""

import json
import math
import os
import signal
import threading
from dataclasses import replace

import pytest
import torch

from tavu.data.records import MARK
from tavu.errors import TavuError
from tavu.evaluation.ngram import ngram_floors
from tavu.model_file import load_model
from tavu.training.events import Finished, Milestone, Overfitting, Progress, Started
from tavu.training.loop import train
from tavu.training.losses import completion_loss, in_prompt
from tavu.training.machine import Plan
from tavu.training.state import load_counters
from tavu.training.step import accumulate
from tavu.vocabulary import END


def weights(path):
    return dict(load_model(path)[0].named_parameters())


def assert_same_weights(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def test_it_learns(tiny, corpus, folder):
    *_, finished = train(tiny("train.steps=150", "train.batch_bytes=1024", "train.micro_batch_rows=16", "train.counted_bytes=0"), corpus, folder)
    milestones = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines() if '"valid"' in line]
    assert milestones[0]["val_bpb"] > 5
    documents = [bytes(part.document(i)) for part in (corpus.train, corpus.valid) for i in range(part.num_documents)]
    assert finished.validation.bits_per_byte < ngram_floors(documents, documents, (1,))[1]  # better than letter frequencies


def test_events(tiny, corpus, folder):
    events = list(train(tiny(), corpus, folder))
    assert isinstance(events[0], Started) and isinstance(events[-1], Finished)
    milestones = [event for event in events if isinstance(event, Milestone)]
    assert len(milestones) == 3 and milestones[-1].step == 20 and milestones[-1].fraction == 1
    assert [prompt for prompt, _ in milestones[0].samples] == ["Once"]
    finished = events[-1]
    assert finished.stopped == "budget" and finished.step == 20 and finished.bytes_seen == 20 * 256
    assert load_model(folder)[1]["val_bpb"] == finished.validation.bits_per_byte
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["event"] == "done" and lines[-1]["val_bpb"] == finished.validation.bits_per_byte
    assert len((folder / "samples.jsonl").read_text().splitlines()) == 3


def test_the_same_seed_gives_the_same_model_and_another_does_not(tiny, corpus, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        list(train(tiny(f"train.seed={seed}"), corpus, tmp_path / name))
    assert_same_weights(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not torch.equal(next(iter(weights(tmp_path / "a").values())), next(iter(weights(tmp_path / "c").values())))


def test_training_in_threads_gives_the_same_models(tiny, small_corpus, tmp_path):
    """With dropout, which draws from torch's process-wide generator."""

    def begun(name, seed):
        recipe = tiny("train.steps=40", "train.milestones=8", f"train.seed={seed}")
        return threading.Thread(target=lambda: list(train(recipe, small_corpus, tmp_path / name)))

    for together in ([("a", 0)], [("b", 1)], [("a too", 0), ("b too", 1)]):
        threads = [begun(name, seed) for name, seed in together]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert load_counters(tmp_path / "a").dropout
    for name in "ab":
        assert_same_weights(weights(tmp_path / name), weights(tmp_path / f"{name} too"))


@pytest.mark.parametrize("stop_after", [1, 7, 19])
def test_a_resumed_run_equals_an_uninterrupted_one(tiny, corpus, tmp_path, stop_after):
    recipe = tiny("train.save_every_steps=1")
    list(train(recipe, corpus, tmp_path / "whole"))
    events = train(recipe, corpus, tmp_path / "cut")
    for _ in events:
        if (tmp_path / "cut/state/training.safetensors").exists() and load_counters(tmp_path / "cut").step >= stop_after:
            break
    events.close()  # like a kill: nothing is cleaned up
    assert load_counters(tmp_path / "cut").step < 20
    *_, finished = train(recipe, corpus, tmp_path / "cut", resume=True)
    assert finished.step == 20
    assert_same_weights(weights(tmp_path / "whole"), weights(tmp_path / "cut"))

    def told(name):
        lines = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        return [(line["step"], line["val_bpb"]) for line in lines if line["event"] == "valid"]

    assert told("whole") == told("cut")


READ_OFTEN = ("train.steps=160", "train.milestones=16", "train.patience=1", "train.muon_every=1", "train.save_every_steps=1", "train.dropout=0.01")


def test_several_epochs_use_dropout_from_early_on(tiny, small_corpus, folder):
    list(train(tiny("train.steps=40", "train.milestones=8"), small_corpus, folder))
    assert load_counters(folder).dropout == 0.3


def test_overfitting_returns_to_the_best_model(tiny, small_corpus, folder):
    """A dozen epochs of five tales, with a model that can memorize them."""
    events = list(train(tiny(*READ_OFTEN), small_corpus, folder))
    (place,) = (i for i, event in enumerate(events) if isinstance(event, Overfitting))
    milestones = [event for event in events[:place] if isinstance(event, Milestone)]
    best = min(milestones, key=lambda m: m.validation.bits_per_byte)
    assert best.seconds == events[place].best_seconds and milestones[-1].validation.bits_per_byte > 1.01 * best.validation.bits_per_byte
    assert milestones[-1].bytes_seen >= small_corpus.train.num_bytes
    assert load_counters(folder).overfits


def test_a_resume_after_overfitting_equals_an_uninterrupted_run(tiny, small_corpus, tmp_path):
    list(train(tiny(*READ_OFTEN), small_corpus, tmp_path / "whole"))
    events = train(tiny(*READ_OFTEN), small_corpus, tmp_path / "cut")
    while not isinstance(next(events), Overfitting):
        pass
    next(events)
    events.close()
    assert load_counters(tmp_path / "cut").overfits
    list(train(tiny(*READ_OFTEN), small_corpus, tmp_path / "cut", resume=True))
    assert_same_weights(weights(tmp_path / "whole"), weights(tmp_path / "cut"))


@pytest.mark.parametrize("settings", [["train.dropout=0"], ["train.steps=5"]])
def test_a_single_epoch_or_no_dropout_is_not_overfitting(tiny, small_corpus, folder, settings):
    events = list(train(tiny("train.steps=100", "train.milestones=8", *settings), small_corpus, folder))
    assert not any(isinstance(event, Overfitting) for event in events) and not load_counters(folder).overfits
    assert load_counters(folder).dropout == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_training_and_saves_everything(tiny, corpus, folder, number):
    recipe = tiny("train.steps=100000")
    for event in (events := train(recipe, corpus, folder)):
        if isinstance(event, Started):
            continue
        os.kill(os.getpid(), number)
        break
    finished = list(events)[-1]
    assert finished.stopped == "interrupted" and 0 < finished.step < 100000
    assert load_counters(folder).step == finished.step
    assert load_model(folder)[1]["step"] <= finished.step


def test_a_finished_run_continues_with_a_larger_budget(tiny, corpus, folder):
    list(train(tiny(), corpus, folder))
    with pytest.raises(TavuError, match="has trained 20 steps, its budget is 20 steps. To train on, give a larger one"):
        list(train(tiny(), corpus, folder, resume=True))
    *_, finished = train(tiny("train.steps=30"), corpus, folder, resume=True)
    assert finished.step == 30


def test_when_validation_gets_worse_the_best_model_is_kept_and_training_stops_early(tiny, corpus, folder):
    recipe = tiny(
        "train.steps=1500", "train.milestones=60", "train.patience=0.05", "train.table_learning_rate=0.3", "train.decay_fraction=0", "train.dropout=0"
    )
    small = replace(corpus, train=corpus.valid, valid=corpus.train)  # train on little, validate on much
    events = list(train(recipe, small, folder))
    finished, milestones = events[-1], [event for event in events if isinstance(event, Milestone)]
    assert finished.stopped == "early" and finished.step < 1500
    best = min(milestones, key=lambda milestone: milestone.validation.bits_per_byte)
    assert load_model(folder)[1]["step"] == best.step and finished.best_seconds == best.seconds


def test_a_loss_that_is_not_finite_says_what_to_do(tiny, corpus, folder):
    recipe = tiny("train.save_every_steps=1")
    broken = iter([1.0] * 3 + [math.nan])
    with pytest.raises(TavuError, match=r"The loss became nan at step 3, .* Continue from the last save with `tavu train --resume .*` and lower"):
        list(train(recipe, corpus, folder, loss_fn=lambda logits, ids: logits.square().mean() * next(broken)))
    assert load_counters(folder).step == 3


def test_the_micro_batch_size_does_not_change_the_gradient(tiny, corpus):
    from tavu.model.designs import build_model

    gradients = []
    for rows in (8, 4, 3):
        torch.manual_seed(0)
        model = build_model(tiny().model)
        ids = torch.from_numpy(corpus.train.ids(0, 8 * 64)).view(8, 64)
        accumulate(model, ids, Plan("cpu", "fp32", rows, compile=False), lambda logits, ids: logits.flatten(0, 1).logsumexp(-1).mean())
        gradients.append(model.global_model.blocks[0].mlp.up.weight.grad)
    torch.testing.assert_close(gradients[0], gradients[1])
    torch.testing.assert_close(gradients[0], gradients[2])


def test_time_budgets_end_in_time(tiny, corpus, folder):
    *_, finished = train(tiny("train.steps=none", "train.minutes=0.05"), corpus, folder)
    assert 1.0 <= finished.seconds < 6 and finished.whole_seconds < 12 and finished.stopped == "budget"


def test_a_budget_that_is_too_short_for_anything_still_trains(tiny, corpus, folder):
    *_, finished = train(tiny("train.steps=none", "train.minutes=0.0001"), corpus, folder)
    assert finished.step >= 1 and load_model(folder)[1]["step"] >= 1


def test_progress_is_reported_by_time(tiny, corpus, folder, monkeypatch):
    monkeypatch.setattr("tavu.training.loop.LOG_SECONDS", 0.0)
    progress = [event for event in train(tiny(), corpus, folder) if isinstance(event, Progress)]
    assert [event.step for event in progress] == list(range(1, 21)) and all(event.bytes_per_second > 0 for event in progress)


def test_prompts_have_no_loss():
    """The prompt of each document in a row ends with its mark. A document without a mark has no prompt."""
    mark = list(MARK)
    ids = torch.tensor([[END, 1, *mark, 2, 2, END, 3, 3, END, 1, *mark, 2, 2], [1, 1, END, 1, 1, *mark, 2, 2, 2, END, *mark, 2, 1]])
    assert in_prompt(ids).int().tolist() == [[0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0]]
    logits = torch.randn(2, 15, 257, requires_grad=True)
    completion_loss(logits, ids).backward()
    assert not logits.grad[in_prompt(ids)].any() and logits.grad[~in_prompt(ids)].abs().amax(-1).all()
    only_prompt = torch.tensor([[1, *mark]])
    assert completion_loss(torch.randn(1, 3, 257), only_prompt) == 0
