"""Laws of distillation: soft targets are what the teachers say, they survive kills, and a student is trained like any other model."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

import tavu
from tavu import run_recipes, runs
from tavu.config import TrainConfig
from tavu.data.batches import Batches
from tavu.distillation.model_teacher import ModelTeacher, _torch_logits, open_teacher
from tavu.distillation.targets import SoftTargets, find_targets, make_targets, targets_name
from tavu.distillation.teach import read_teachers, teach
from tavu.errors import TavuError
from tavu.evaluation.bits_per_byte import bits_per_byte
from tavu.model_file import load_model, save_model
from tavu.stored_model import open_model
from tavu.training.events import Finished, Started, Taught, TeacherReads
from tavu.training.loop import train
from tavu.training.losses import distillation_loss, mean_distribution, next_id_loss
from tavu.vocabulary import END, NUM_IDS
from tests.conftest import noisy_model
from tests.training.conftest import TINY

UNIFORM = torch.full((NUM_IDS,), 1 / NUM_IDS)


def silent(done, total):
    pass


@pytest.fixture(scope="session")
def two_teachers(tiny_model_config, tmp_path_factory):
    """Run folders of two models that say different things, with a context shorter than most documents."""
    folder = tmp_path_factory.mktemp("teachers")
    for seed in (1, 2):
        (folder / str(seed)).mkdir()
        save_model(folder / str(seed) / "model.safetensors", noisy_model(tiny_model_config, seed=seed), {"kind": "text"})
    return [str(folder / "1"), str(folder / "2")]


@pytest.fixture(scope="session")
def tiny_model_config():
    from tavu.recipe import override, read_preset, to_recipe

    return to_recipe(override(read_preset("words"), TINY)).model


@pytest.fixture
def student(tiny, two_teachers):
    """student("distill.share=0.5") is the recipe of a tiny student of the two teachers."""
    return lambda *settings: tiny(f"distill.teachers={json.dumps(two_teachers)}", "train.dropout=0", *settings)


def taught(recipe, corpus, folder, cache, *, resume=False):
    """The soft targets of a run, and the events of making them."""
    events, making = [], teach(recipe, corpus, folder, resume=resume, cache_dir=cache, progress=silent)
    while True:
        try:
            events.append(next(making))
        except StopIteration as end:
            return end.value, events


def weights(path):
    return dict(load_model(path)[0].named_parameters())


def assert_same_weights(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def test_a_teacher_gives_whole_distributions_of_whole_documents(two_teachers, corpus):
    """Each document alone, in a batch, and its bits as everywhere else."""
    teacher, model = open_teacher(two_teachers[0], as_bytes=False), tavu.load(two_teachers[0])
    documents = [b"", b"Once", corpus.train.document(0).tobytes(), corpus.train.document(1).tobytes()]
    assert len(documents[2]) > 3 * model.config.max_seq_len
    together = list(teacher.log_probs(documents))
    for document, log_probs in zip(documents, together, strict=True):
        assert log_probs.shape == (len(document) + 1, NUM_IDS) and log_probs.dtype == np.float32
        np.testing.assert_allclose(np.exp(log_probs).sum(1), 1, atol=1e-5)
        np.testing.assert_allclose(next(iter(teacher.log_probs([document]))), log_probs, atol=1e-4)
        if document:
            bits = -log_probs[np.arange(len(document) + 1), [*document, END]].sum() / math.log(2)
            assert bits == pytest.approx(model.bits_per_byte(document).bits_per_byte * len(document), rel=1e-5)


def test_the_native_engine_and_pytorch_teach_the_same(two_teachers, corpus):
    stored = open_model(two_teachers[0])
    native, other = ModelTeacher(stored), ModelTeacher(stored)
    other._logits = _torch_logits(stored, "cpu")
    documents = [corpus.train.document(i).tobytes() for i in range(5)]
    for one, two in zip(native.log_probs(documents), other.log_probs(documents), strict=True):
        np.testing.assert_allclose(np.exp(one), np.exp(two), atol=2e-3)


def test_targets_are_the_mean_of_what_the_teachers_say_of_each_position(two_teachers, small_corpus, tmp_path):
    """With all ids stored: at every position of batch rows, past borders of documents and around the end of the corpus."""
    teachers, documents = [open_teacher(name, as_bytes=False) for name in two_teachers], small_corpus.train
    targets = SoftTargets([make_targets(teacher, documents, "digest", NUM_IDS, tmp_path, silent) for teacher in teachers], documents)
    texts = [documents.document(i).tobytes() for i in range(documents.num_documents)]
    expected = [np.mean([np.exp(rows) for rows in both], axis=0) for both in zip(*(t.log_probs(texts) for t in teachers), strict=True)]
    by_position = np.concatenate(expected)  # of positions 1, 2, ... of the ring, whose last is also its first
    batches = Batches(documents, seq_len=64, rows=3, seed=0)
    for step in range(batches.num_starts):
        starts, ids = batches.row_starts(step), batches.batch(step)
        mean = mean_distribution(*map(torch.from_numpy, (*targets.batch(starts, 64), targets.frequencies))).numpy()
        positions = (starts.astype(int)[:, None] + np.arange(64) - 1) % len(by_position)
        np.testing.assert_allclose(mean, by_position[positions], atol=1e-3, rtol=0.01)
        assert mean.shape == (*ids.shape, NUM_IDS)


def test_the_likeliest_ids_are_stored_and_the_rest_is_spread(two_teachers, small_corpus, tmp_path):
    teacher = open_teacher(two_teachers[0], as_bytes=False)
    rows = make_targets(teacher, small_corpus.train, "digest", 4, tmp_path, silent)
    says = np.exp(np.concatenate(list(teacher.log_probs([small_corpus.train.document(i).tobytes() for i in range(3)]))))
    targets = SoftTargets([rows], small_corpus.train)
    mean = mean_distribution(*map(torch.from_numpy, (*targets.batch(np.array([1], dtype=np.uint64), len(says)), targets.frequencies)))[0].numpy()
    np.testing.assert_allclose(mean.sum(1), 1, atol=1e-3)
    for stored, whole in zip(mean, says, strict=True):
        likeliest = np.argsort(-whole)[:4]
        rest = (1 - whole[likeliest].sum()) * targets.frequencies
        np.testing.assert_allclose(stored[likeliest], (whole + rest)[likeliest], rtol=0.01)
        np.testing.assert_allclose(np.delete(stored, likeliest), np.delete(rest, likeliest), atol=1e-4)


class Counting:
    """A teacher that counts the documents that it reads, and fails after some."""

    def __init__(self, teacher, fail_after=math.inf):
        self.teacher, self.read, self.fail_after = teacher, 0, fail_after
        self.name, self.digest = teacher.name, teacher.digest

    def log_probs(self, documents):
        for document in documents:
            if self.read >= self.fail_after:
                raise KeyboardInterrupt
            self.read += 1
            yield from self.teacher.log_probs([document])


def test_targets_that_were_cut_off_are_continued(two_teachers, corpus, tmp_path, monkeypatch):
    teacher, documents = open_teacher(two_teachers[0], as_bytes=False), corpus.train
    whole = np.array(make_targets(Counting(teacher), documents, "digest", 4, tmp_path / "whole", silent))
    monkeypatch.setattr("tavu.distillation.targets.SAVE_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        make_targets(Counting(teacher, fail_after=10), documents, "digest", 4, tmp_path / "cut", silent)
    name = targets_name(teacher.digest, "digest", 4)
    assert find_targets(tmp_path / "cut", name, documents, 4) is None  # half-written is not whole
    with (tmp_path / "cut" / f"{name}.rows").open("ab") as file:
        file.write(b"rows that were written, but not saved")
    last = Counting(teacher)
    assert (make_targets(last, documents, "digest", 4, tmp_path / "cut", silent) == whole).all()
    assert last.read == documents.num_documents - 10
    again = Counting(teacher)
    assert (make_targets(again, documents, "digest", 4, tmp_path / "cut", silent) == whole).all() and again.read == 0


def test_damaged_targets_are_made_again(two_teachers, small_corpus, tmp_path):
    teacher = open_teacher(two_teachers[0], as_bytes=False)
    whole = np.array(make_targets(teacher, small_corpus.train, "digest", 4, tmp_path, silent))
    path = tmp_path / f"{targets_name(teacher.digest, 'digest', 4)}.rows"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    assert (make_targets(teacher, small_corpus.train, "digest", 4, tmp_path, silent) == whole).all()


def test_a_kill_while_a_teacher_reads_costs_nothing_that_was_saved(two_teachers, corpus, tmp_path):
    """A real kill, at a moment when rows beyond the saved ones have been written."""
    code = f"""
import time
import tavu.distillation.targets as targets
from pathlib import Path
from tavu.distillation.model_teacher import open_teacher
from tavu.data.documents import DocumentFile
targets.SAVE_SECONDS = 0.0
def slow(done, total):
    time.sleep(0.02)
targets.make_targets(open_teacher({two_teachers[0]!r}, as_bytes=False), DocumentFile(Path({str(corpus.folder / "train")!r})), "d", 4,
                     Path({str(tmp_path)!r}), slow)
"""
    process = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"OMP_NUM_THREADS": "1"})
    teacher = open_teacher(two_teachers[0], as_bytes=False)
    progress = tmp_path / f"{targets_name(teacher.digest, 'd', 4)}.json"
    while not (progress.exists() and json.loads(progress.read_bytes())["rows"] > 20_000):
        time.sleep(0.02)
        assert process.poll() is None
    process.kill()
    process.wait()
    saved = json.loads(progress.read_bytes())["rows"]
    assert saved < corpus.train.num_ids - 1
    begun_at = []
    rows = make_targets(teacher, corpus.train, "d", 4, tmp_path, lambda done, total: begun_at.append(done))
    assert begun_at[0] == saved
    assert (rows == make_targets(teacher, corpus.train, "d", 4, tmp_path / "whole", silent)).all()


def test_a_full_disk_is_said_in_a_sentence(two_teachers, corpus, tmp_path, files_of_at_most):
    teacher = open_teacher(two_teachers[0], as_bytes=False)
    with (
        files_of_at_most(200_000),
        pytest.raises(TavuError, match=r"The soft targets of 1 could not be written to .*They take 5 MB: free"),
    ):
        make_targets(teacher, corpus.train, "digest", 8, tmp_path, silent)


def test_a_student_with_share_0_is_trained_like_any_model(student, tiny, corpus, tmp_path):
    list(train(tiny("train.dropout=0"), corpus, tmp_path / "plain"))
    (tmp_path / "student").mkdir()
    targets, _ = taught(student(), corpus, tmp_path / "student", tmp_path / "targets")
    list(train(student("distill.share=0"), corpus, tmp_path / "student", targets=targets))
    assert_same_weights(weights(tmp_path / "plain"), weights(tmp_path / "student"))


def test_a_student_comes_closer_to_its_teachers(student, small_corpus, folder, tmp_path):
    """The cross-entropy against their mean falls towards its entropy, and further than without teachers."""
    recipe = student("train.steps=150", "distill.share=1", "train.batch_bytes=1024", "train.micro_batch_rows=16", "train.counted_bytes=0")
    targets, _ = taught(recipe, small_corpus, folder, tmp_path / "targets")
    list(train(recipe, small_corpus, folder, targets=targets))
    list(train(replace(recipe, distill=None), small_corpus, tmp_path / "plain"))
    batches = Batches(small_corpus.train, seq_len=64, rows=16, seed=5)
    ids = torch.from_numpy(batches.batch(0))
    rows = [torch.from_numpy(array) for array in targets.batch(batches.row_starts(0), 64)]
    mean = mean_distribution(*rows, torch.from_numpy(targets.frequencies))
    entropy = -(mean * mean.log()).sum(-1).mean()

    def divergence(path):
        model, _ = load_model(path)
        with torch.no_grad():
            frequencies = torch.from_numpy(targets.frequencies)
            options = {"frequencies": frequencies, "text_loss": next_id_loss, "share": 1.0, "temperature": 1.0, "as_records": False}
            return float(distillation_loss(model(ids), ids, *rows, **options) - entropy)

    assert 0 < divergence(folder) < 0.7 * divergence(tmp_path / "plain")


def test_temperature_flattens_both_distributions():
    """At the teachers' own distribution the loss is at its minimum, at any temperature."""
    torch.manual_seed(0)
    logits = torch.randn(1, 2, NUM_IDS)
    log_probs, ids = logits.log_softmax(-1).topk(NUM_IDS)
    for temperature in (1.0, 2.0):
        best = logits.clone().requires_grad_()
        options = {"frequencies": UNIFORM, "text_loss": next_id_loss, "share": 1.0, "temperature": temperature, "as_records": False}
        distillation_loss(best, torch.zeros(1, 2, dtype=torch.long), ids[:, :, None], log_probs[:, :, None], **options).backward()
        assert best.grad.abs().max() < 1e-4


@pytest.mark.parametrize("stop_after", [1, 19])
def test_a_resumed_student_equals_an_uninterrupted_one_and_needs_no_teacher(student, two_teachers, corpus, tmp_path, stop_after):
    recipe, cache = student("train.save_every_steps=1"), tmp_path / "targets"
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    targets, events = taught(recipe, corpus, tmp_path / "whole", cache)
    assert [type(event) for event in events] == [TeacherReads, TeacherReads, Taught]
    list(train(recipe, corpus, tmp_path / "whole", targets=targets))
    targets, events = taught(recipe, corpus, tmp_path / "cut", cache)
    assert [type(event) for event in events] == [Taught]  # found again
    training = train(recipe, corpus, tmp_path / "cut", targets=targets)
    for _ in training:
        state = tmp_path / "cut/state/training.safetensors"
        from tavu.training.state import load_counters

        if state.exists() and load_counters(tmp_path / "cut").step >= stop_after:
            break
    training.close()
    gone = replace(recipe, distill=replace(recipe.distill, teachers=("gone", "also gone")))
    targets, events = taught(gone, corpus, tmp_path / "cut", cache, resume=True)
    assert not events
    list(train(gone, corpus, tmp_path / "cut", resume=True, targets=targets))
    assert_same_weights(weights(tmp_path / "whole"), weights(tmp_path / "cut"))


def test_a_teacher_that_changed_since_is_refused(student, two_teachers, small_corpus, tmp_path, tiny_model_config):
    (tmp_path / "run").mkdir()
    recipe = student()
    taught(recipe, small_corpus, tmp_path / "run", tmp_path / "targets")
    shutil.rmtree(tmp_path / "targets")
    save_model(tmp_path / "other.safetensors", noisy_model(tiny_model_config, seed=9), {"kind": "text"})
    changed = replace(recipe, distill=replace(recipe.distill, teachers=(two_teachers[0], str(tmp_path / "other.safetensors"))))
    with pytest.raises(TavuError, match="The teacher .*other.safetensors has changed since this run started"):
        taught(changed, small_corpus, tmp_path / "run", tmp_path / "targets", resume=True)


def test_the_run_folder_says_how_good_its_teachers_are(student, two_teachers, corpus, folder, tmp_path):
    taught(student(), corpus, folder, tmp_path / "targets")
    teachers, ensemble_bpb = read_teachers(folder)
    valid = [corpus.valid.document(i) for i in range(corpus.valid.num_documents)]
    for teacher, name in zip(teachers, two_teachers, strict=True):
        assert teacher.val_bpb == pytest.approx(bits_per_byte(tavu.load(name).scorer, valid).bits_per_byte, rel=1e-5)
    assert ensemble_bpb < max(teacher.val_bpb for teacher in teachers)
    (folder / "teachers.json").write_text("{")
    with pytest.raises(TavuError, match=r"teachers.json is missing or damaged"):
        read_teachers(folder)


def test_records_teach_their_completions_alone():
    from tavu.data.records import MARK
    from tavu.training.losses import completion_loss, in_prompt

    torch.manual_seed(0)
    ids = torch.tensor([[END, 1, *MARK, 2, 2, END]])
    logits, target = torch.randn(1, ids.size(1), NUM_IDS, requires_grad=True), torch.randn(1, ids.size(1), NUM_IDS)
    log_probs, best = target.log_softmax(-1).topk(4)
    options = {"frequencies": UNIFORM, "text_loss": completion_loss, "share": 0.5, "temperature": 1.0, "as_records": True}
    distillation_loss(logits, ids, best[:, :, None], log_probs[:, :, None], **options).backward()
    assert not logits.grad[in_prompt(ids)].any() and logits.grad[~in_prompt(ids)].abs().amax(-1).all()


def test_a_run_that_ends_while_its_teachers_read_is_resumed(two_teachers, tmp_path, stories, monkeypatch):
    """As after a kill: the run is closed when a teacher begins to read. Without soft targets a resume needs the teachers, and says why."""
    monkeypatch.setenv("TAVU_CACHE", str(tmp_path / "cache"))
    teachers = [shutil.copytree(teacher, tmp_path / f"teacher-{number}") for number, teacher in enumerate(two_teachers)]
    recipe, folder = run_recipes.new_recipe([str(stories)], teachers=list(map(str, teachers)), settings=[*TINY, "train.steps=3"]), tmp_path / "run"
    events = runs.run(recipe, folder)
    while not isinstance(next(events), TeacherReads):
        pass
    events.close()
    *_, finished = runs.run(run_recipes.old_recipe(folder), folder, resume=True)
    assert isinstance(finished, Finished) and len(read_teachers(folder)[0]) == 2
    shutil.rmtree(tmp_path / "cache/targets")
    shutil.rmtree(teachers[0])
    with pytest.raises(TavuError, match="The soft targets of this run are no longer in .* read the text again. There is no model"):
        list(runs.run(run_recipes.old_recipe(folder, steps=5), folder, resume=True))


def test_teachers_that_cannot_teach_are_refused(two_teachers, tmp_path, stories):
    with pytest.raises(TavuError, match="There is no model 'nobody'"):
        run_recipes.new_recipe([str(stories)], teachers=["nobody"])
    with pytest.raises(TavuError, match="is a model of text, expected one of raw bytes, like the data. Name another model, or data like its own"):
        run_recipes.new_recipe([str(stories)], teachers=two_teachers, as_bytes=True)
    model, facts = load_model(two_teachers[0])
    save_model(tmp_path / "bytes.safetensors", model, facts | {"kind": "bytes"})
    with pytest.raises(TavuError, match="is a model of raw bytes, expected one of text, like the data"):
        run_recipes.new_recipe([str(stories)], teachers=[str(tmp_path / "bytes.safetensors")])
    with pytest.raises(TavuError, match="distill.teachers is .* expected different models"):
        run_recipes.new_recipe([str(stories)], teachers=[two_teachers[0]] * 2)


@pytest.fixture(scope="module")
def own_teachers(stories, tmp_path_factory):
    """The run folder of a run with two teachers of its own, its recipe, and its events."""
    folder = tmp_path_factory.mktemp("own") / "run"
    recipe = run_recipes.new_recipe([str(stories)], train_teachers=2, settings=[*TINY, "train.steps=50", "train.milestones=1"])
    return folder, recipe, list(runs.run(recipe, folder))


def test_a_run_trains_its_own_teachers(own_teachers):
    folder, _, events = own_teachers
    assert [event.step for event in events if isinstance(event, Finished)] == [15, 15, 20]
    teachers, _ = read_teachers(folder)
    for number, teacher in enumerate(teachers, start=1):
        assert teacher.val_bpb == pytest.approx(load_model(folder / f"teachers/{number}")[1]["val_bpb"], rel=1e-3)
    one, other = (weights(folder / f"teachers/{i}") for i in (1, 2))
    assert any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("stopped_in", ["teachers/1", "teachers/2", "."])
def test_a_run_that_trains_its_own_teachers_is_resumed_where_it_was(own_teachers, tmp_path, stopped_in):
    whole, recipe, _ = own_teachers
    running, num_started = runs.run(recipe, tmp_path / "cut"), 0
    for event in running:
        num_started += isinstance(event, Started)
        if num_started == ["teachers/1", "teachers/2", "."].index(stopped_in) + 1:
            break
    running.close()
    again = run_recipes.old_recipe(tmp_path / "cut")
    *_, finished = runs.run(again, tmp_path / "cut", resume=True)
    assert finished.step == 20
    assert_same_weights(weights(whole), weights(tmp_path / "cut"))


def test_ctrl_c_while_a_teacher_trains_ends_the_run(stories, tmp_path):
    recipe = run_recipes.new_recipe([str(stories)], train_teachers=2, settings=[*TINY, "train.steps=500000", "train.milestones=1"])
    for event in (events := runs.run(recipe, tmp_path / "run")):
        if isinstance(event, Started):
            os.kill(os.getpid(), signal.SIGINT)
            break
    finished = list(events)[-1]
    assert isinstance(finished, Finished) and finished.stopped == "interrupted"
    assert not (tmp_path / "run/teachers/2").exists() and run_recipes.old_recipe(tmp_path / "run").distill.train_teachers == 2


def test_a_budget_that_is_too_short_for_teachers():
    """In steps by the bytes of a step, in minutes by the speed of the first teacher."""
    in_steps, in_minutes = TrainConfig(minutes=None, steps=100, batch_bytes=1000), TrainConfig(minutes=1.0)
    assert runs.too_few_epochs(in_steps, 1.0, 8_000) is None and runs.too_few_epochs(in_minutes, 1000.0, 5_000) is None
    assert "reads the text about 2.0 times; teachers pay from about 10 times" in runs.too_few_epochs(in_steps, 1.0, 50_000)
    assert "reads the text about 0.6 times" in runs.too_few_epochs(in_minutes, 1000.0, 100_000)
