"""Sweeps of tiny models: complete, resumed after kills, stopped early, and told on their page and as JSON."""

import json
import os
import re
import shutil
import signal
import time
import tomllib
from dataclasses import replace

import pytest

from tavu.errors import TavuError
from tavu.planning.ranges import RANGES, Varied, as_settings, combinations, read_varied
from tavu.planning.study import Study
from tavu.planning.sweep import new_sweep, old_sweep
from tavu.planning.work import TrialEnds, work
from tavu.recipe import override, read_preset, to_recipe, to_tables
from tavu.reports.sweep_page import sweep_page
from tavu.run_folder import METRICS, read_lines
from tavu.run_recipes import new_recipe
from tavu.runs import run
from tests.cli.conftest import answer, process, refused, small, tavu  # noqa: F401
from tests.training.conftest import TINY

pytestmark = pytest.mark.slow

VARIED = (Varied("train.batch_bytes", ("128", "256")), Varied("train.muon_learning_rate", ("0.01", "0.03")))
STEPS = 12
VARY = ("--vary", "train.batch_bytes=256,128", "--vary", "train.muon_learning_rate=0.01,0.03")


def recipe(stories, *settings):
    return new_recipe(
        [str(stories)], steps=3, settings=[*(one for one in TINY if not one.startswith("train.steps")), "train.milestones=1", *settings]
    )


def train(one, folder):
    return run(one, folder)


def test_a_grid_is_whole(stories, tmp_path):
    sweep = new_sweep(tmp_path / "sweep", recipe(stories), VARIED, trials=None, metric="val_bpb")
    study = Study(sweep)
    assert sweep.is_grid and sweep.num_trials == 4 and not sweep.stops_early
    events = list(work(study, train))
    assert sum(isinstance(event, TrialEnds) for event in events) == 4
    trials = study.trials()
    assert [trial.state for trial in trials] == ["complete"] * 4
    assert {tuple(trial.chosen.items()) for trial in trials} == {tuple(chosen.items()) for chosen in combinations(VARIED)}
    for trial in trials:
        saved = tomllib.loads((trial.folder / "recipe.toml").read_text())["train"]
        assert saved["batch_bytes"] == int(trial.chosen["train.batch_bytes"])
        assert saved["muon_learning_rate"] == float(trial.chosen["train.muon_learning_rate"])
    assert sweep.best(trials).figures.val_bpb == min(trial.figures.val_bpb for trial in trials)
    assert set(study.importances()) == {one.key for one in VARIED}
    assert list(work(Study(old_sweep(sweep.folder)), train)) == []


@pytest.fixture(scope="module")
def swept(stories, tmp_path_factory, small, process):  # noqa: F811
    """A sweep that was killed, resumed, stopped by Ctrl-C, and finished by two processes: its folder, its JSON, what stderr told, and which runs had
    finished before each end, with the time of their last line."""
    folder = tmp_path_factory.mktemp("sweeps") / "swept"
    steps = ("--steps", STEPS, "--set", "train.save_every_steps=2", "--set", "train.milestones=2")
    finished, errors = [], []
    begin = ("sweep", stories, *small, *steps, *VARY, "--out", folder)
    for arguments, end in ((begin, signal.SIGKILL), (("sweep", "--resume", folder), signal.SIGINT)):
        running, before = process(*arguments), len(finished)
        _wait_until(lambda before=before: len(_finished(folder)) > before and _begun(folder) > before + 1)
        running.send_signal(end)
        errors.append(running.communicate(timeout=120)[1].decode())
        assert running.returncode == (-signal.SIGKILL if end == signal.SIGKILL else 0), errors
        finished.append(_finished(folder))
    joined = [process("sweep", "--join", folder, "--json") for _ in range(2)]
    ends = [running.communicate(timeout=240) for running in joined]
    assert [running.returncode for running in joined] == [0, 0], ends
    told = [json.loads(out.splitlines()[-1]) for out, _ in ends]
    last = max(told, key=lambda one: sum(trial["state"] == "complete" for trial in one["trials"]))
    return folder, last, errors + [err.decode() for _, err in ends], finished


def _finished(folder) -> dict[str, int]:
    """The runs that have used their budget, and when their logs last grew."""
    logs = {path: read_lines(path)[0] for path in folder.glob("trial-*/metrics.jsonl")}
    return {path.parent.name: path.stat().st_mtime_ns for path, lines in logs.items() if lines and lines[-1].get("stopped") == "budget"}


def _begun(folder) -> int:
    return len(list(folder.glob("trial-*/recipe.toml")))


def _wait_until(is_so) -> None:
    end = time.monotonic() + 240
    while not is_so():
        assert time.monotonic() < end, "nothing happened for four minutes"
        time.sleep(0.01)


def test_after_a_kill_and_an_interrupt_two_processes_complete_it_and_nothing_is_trained_twice(swept):
    folder, told, errors, finished = swept
    assert [trial["state"] for trial in told["trials"]] == ["complete"] * 4
    after = _finished(folder)
    assert len(after) == 4 and all(before.items() <= after.items() for before in finished)
    assert all(trial["bytes_seen"] == STEPS * int(trial["settings"]["train.batch_bytes"]) for trial in told["trials"])
    assert re.search(r"Stopped; trial \d is saved. Continue with: tavu sweep --resume ", errors[1]) and " resumes: " in errors[1]
    assert len(list(folder.glob("trial-*"))) == 4


def test_the_json_tells_the_best_and_all_trials(swept):
    folder, told, errors, _ = swept
    assert len(told["trials"]) == 4 and {trial["state"] for trial in told["trials"]} == {"complete"}
    assert told["best"] == min(told["trials"], key=lambda trial: trial["val_bpb"])
    for trial in told["trials"]:
        end = read_lines(folder / f"trial-{trial['number']:02}" / METRICS)[0][-1]
        assert trial["val_bpb"] == end["val_bpb"] and trial["bytes_per_second"] == end["bytes_per_second"]
        assert trial["num_parameters"] > 0 and trial["file_bytes"] > 0
    assert "4 trials, every combination" in errors[0] and re.search(r"\(1 of 4 done, best so far: trial 1, .* left\)", errors[0])


def test_the_page_holds_every_trial(swept):
    folder, told, *_ = swept
    page = (folder / "sweep.html").read_text(encoding="utf-8")
    for trial in told["trials"]:
        assert f'href="trial-{trial["number"]:02}/report.html"' in page
        assert re.search(rf"trial {trial['number']}, \d", page)
        sample = read_lines(folder / f"trial-{trial['number']:02}" / "samples.jsonl")[0][-1]
        assert sample["prompt"] in page
    for setting in ("train.batch_bytes", "train.muon_learning_rate"):
        assert f"<h3><code>{setting}</code>" in page
    assert "All trials have the same seed" in page and "<code>train.batch_bytes=" in page
    assert page.count('<svg viewBox="0 0 430 280"') >= 2 * 2 + 2
    assert not re.search(r"(src|href)=[\"']?(https?:|//)", page), "the page loads nothing"


def test_the_page_tells_how_trials_ended_and_has_no_effects_of_too_few(swept):
    folder, *_ = swept
    sweep = old_sweep(folder)
    one, two, three, four = Study(sweep).trials()
    bare = {"record": None, "figures": None}
    failed = replace(two, state="failed", reason="The loss became nan <b>.", **bare)
    page = sweep_page(sweep, [replace(one, state="pruned"), failed, replace(three, state="waiting", **bare), four], {})
    assert "4 trials: 1 complete, 1 stopped early, 1 failed." in page and "The loss became nan &lt;b&gt;." in page and "1 more to begin" in page
    assert "Effects appear when three trials are complete." in page and "There are too few complete trials to tell." in page
    assert "No trial is complete." in sweep_page(sweep, [replace(trial, state="running", **bare) for trial in (one, two, three, four)], {})


def test_best_toml_is_a_preset_as_it_is(swept, stories, tavu, tmp_path):  # noqa: F811
    folder, told, *_ = swept
    status, _, err = tavu("train", stories, "--preset", folder / "best.toml", "--steps", 1, "--out", tmp_path / "run")
    assert status == 0, err
    saved = tomllib.loads((tmp_path / "run/recipe.toml").read_text())["train"]
    assert saved["batch_bytes"] == int(told["best"]["settings"]["train.batch_bytes"])
    assert saved["steps"] == 1 and str(stories) not in (folder / "best.toml").read_text()


def test_hopeless_trials_are_stopped_early(stories, tmp_path):
    """A learning rate of 0 learns nothing, so those trials are worse than the median of the others."""
    varied = (Varied("train.muon_learning_rate", ("0", "0.02", "0.025", "0.03")), Varied("train.table_learning_rate", ("0", "0.02", "0.03")))
    shared = recipe(stories, "train.milestones=3", "train.steps=12", "train.counted_bytes=0", "train.adamw_learning_rate=0.01")
    sweep = new_sweep(tmp_path / "sweep", shared, varied, trials=8, metric="val_bpb")
    assert not sweep.is_grid and sweep.stops_early
    study = Study(sweep)
    for _ in work(study, train):
        pass
    trials = study.trials()
    pruned = [trial for trial in trials if trial.state == "pruned"]
    assert len(trials) == 8 and pruned and all(trial.is_over for trial in trials)
    for trial in pruned:
        assert trial.figures.bytes_seen < 12 * shared.train.batch_bytes and trial.record.outcome is None
        assert trial.figures.val_bpb > sweep.best(trials).figures.val_bpb


def test_a_trial_that_diverges_fails_and_the_others_go_on(stories, tmp_path):
    def diverging(one, folder):
        for event in run(one, folder):
            yield event
            if one.train.batch_bytes == 128 and type(event).__name__ == "Started":
                raise TavuError("The loss became nan at step 1.")

    sweep = new_sweep(tmp_path / "sweep", recipe(stories), VARIED[:1], trials=None, metric="val_bpb")
    study = Study(sweep)
    for _ in work(study, diverging):
        pass
    trials = {trial.chosen["train.batch_bytes"]: trial for trial in study.trials()}
    assert trials["128"].state == "failed" and trials["128"].reason == "The loss became nan at step 1."
    assert trials["256"].state == "complete" and sweep.best(list(trials.values())) == trials["256"]


def test_a_training_that_cannot_start_ends_the_sweep_and_is_tried_again(stories, tmp_path):
    text = tmp_path / "text.txt"
    shutil.copy(stories, text)
    sweep = new_sweep(tmp_path / "sweep", recipe(text), VARIED[:1], trials=None, metric="val_bpb")
    os.remove(text)
    with pytest.raises(TavuError, match="text.txt"):
        list(work(Study(sweep), train))
    shutil.copy(stories, text)
    study = Study(old_sweep(sweep.folder))
    assert sum(isinstance(event, TrialEnds) for event in work(study, train)) == 2
    assert [trial.state for trial in study.trials()] == ["complete"] * 2


def test_a_repeated_trial_has_another_seed(stories, tmp_path):
    sweep = new_sweep(tmp_path / "sweep", recipe(stories), VARIED, trials=None, metric="val_bpb")
    chosen = {"train.batch_bytes": "128"}
    assert [sweep.trial_recipe(chosen, repeats).train.seed for repeats in (0, 1)] == [0, 1]


@pytest.mark.parametrize("preset", ["words", "megabyte"])
def test_every_value_of_the_ranges_fits_its_preset(preset):
    tables = to_tables(to_recipe(read_preset(preset)))
    ranges = RANGES["words" if preset == "words" else "fixed"]
    assert len(ranges) == 10
    for one in ranges:
        assert read_varied([one.varied.key], tables) == (one.varied,)
        for value in one.varied.values:
            to_recipe(override(tables, as_settings({one.varied.key: value})))


def test_the_list_shows_the_ranges(tavu, answer):  # noqa: F811
    status, out, _ = tavu("sweep", "--list")
    assert status == 0 and "train.batch_bytes " in out and "2048,4096,8192,16384" in out
    assert [one["key"] for one in answer("sweep", "--list", "--preset", "megabyte")["ranges"]] == [one.varied.key for one in RANGES["fixed"]]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--vary", "train.bach_bytes=1,2"], "--vary 'train.bach_bytes' is not a setting of this recipe. Did you mean train.batch_bytes?"),
        (["--vary", "x=1,2"], "--vary 'x' is not a setting of this recipe. See `tavu sweep --list`."),
        (
            ["--vary", "train.patience"],
            "--vary train.patience has no values, and tavu knows no range for it. Give some, as --vary train.patience=A,B,C.",
        ),
        (["--vary", "train.patience=1"], "--vary train.patience=1 has 1 value, expected two or more, as --vary train.patience=A,B,C."),
        (["--vary", "train.patience=1,1"], "--vary train.patience=1,1 has a value twice, expected different values."),
        (
            ["--vary", "train.dropout=0,2"],
            "--vary does not fit: train.dropout=2 is refused. train.dropout is 2.0, expected 0 (none) to below 1.",
        ),
        (
            ["--vary", "model.levels.0.dim=64,96", "--vary", "model.levels.0.num_heads=4,5"],
            "--vary does not fit: model.levels.0.dim=64 model.levels.0.num_heads=5 is refused. model.levels.0.dim is 64, expected a multiple "
            "of twice num_heads 5 (rotary positions need an even head_dim). Try 70 or 60.",
        ),
        (
            ["--vary", "train.dropout", "--vary", "train.dropout=0,0.1"],
            "--vary train.dropout is given twice, expected each setting once. Put all its values into one: --vary train.dropout=A,B,C.",
        ),
        ([], "There is nothing to vary. Give a setting and its values, e.g. --vary train.batch_bytes=4096,8192, or see `tavu sweep --list`."),
        (["--vary", "train.dropout", "--trials", "1"], "--trials is 1, expected 2 or more."),
        (["--vary", "train.dropout", "--metric", "loss"], "--metric is loss, expected one of val_bpb, bytes_per_second."),
    ],
)
def test_mistakes_are_told_before_anything_trains(refused, stories, tmp_path, arguments, sentence):  # noqa: F811
    assert refused("sweep", stories, *arguments, "--steps", 2, "--out", tmp_path / "sweep") == sentence
    assert not (tmp_path / "sweep").exists()


def test_mistakes_about_folders_are_told(refused, swept, stories, tmp_path):  # noqa: F811
    folder, *_ = swept
    assert refused("sweep", stories, *VARY, "--out", folder) == (
        f"{folder} already has a sweep. Continue it with --resume {folder}, or choose another --out."
    )
    assert f"{tmp_path} is not the folder of a sweep: it has no sweep.toml." in refused("sweep", "--resume", tmp_path)
    assert refused("sweep", "--resume", folder, "--steps", 3).startswith("--resume continues a sweep unchanged: it allows only --trials")
    assert refused("sweep", "--resume", folder, "--trials", 9).startswith(
        f"{folder} is a grid of 4 trials, each combination once, but --trials is 9."
    )
    assert refused("sweep").startswith("There is nothing to train on.")
    (tmp_path / "sweep.toml").write_text("trials = 3\n")
    assert "sweep.toml is damaged: " in refused("sweep", "--resume", tmp_path)
