"""Runs from Python: the same as `tavu train`, and the content of the run folder."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import tavu
from tavu.config import ProgressConfig
from tavu.recipe import parse_toml, to_recipe, to_toml
from tavu.run_recipes import new_recipe, old_recipe
from tavu.runs import new_folder, run
from tavu.training.events import Finished, Started
from tavu.training.state import load_counters
from tests.training.conftest import TINY

SETTINGS = [setting for setting in TINY if not setting.startswith(("train.steps", "train.minutes", "sample.prompts"))]


def test_train_returns_the_model_file_and_its_validation(stories, tmp_path):
    result = tavu.train([str(stories)], steps=3, seed=4, out=tmp_path / "run", settings=SETTINGS)
    assert isinstance(result, Finished) and result.model == tmp_path / "run/model.safetensors"
    assert (result.step, result.stopped) == (3, "budget")
    model = tavu.load(result.model)
    assert model.facts["val_bpb"] == result.validation.bits_per_byte and model.facts["sources"] == [stories.name]
    recipe = to_recipe(parse_toml((tmp_path / "run/recipe.toml").read_text(), "recipe.toml"))
    assert (recipe.train.steps, recipe.train.minutes, recipe.train.seed) == (3, None, 4)


def test_train_accepts_what_the_command_line_accepts():
    with pytest.raises(tavu.TavuError, match="There is no preset 'wrds'"):
        tavu.train(["tales"], preset="wrds")
    with pytest.raises(tavu.TavuError, match="The budget is given twice"):
        tavu.train(["tales"], minutes=1, steps=1)
    with pytest.raises(tavu.TavuError, match="at least one source"):
        tavu.train([])


def test_default_prompts_are_empty_and_the_most_common_opening(tmp_path):
    text = "\n<|endoftext|>\n".join(f'Mummo sanoi: "{number}", ja nukkui sitten koko pitkän yön.' for number in range(200))
    (tmp_path / "a.txt").write_text(text)
    events = run(new_recipe([str(tmp_path / "a.txt")], steps=1, settings=SETTINGS), tmp_path / "run")
    *_, finished = events
    assert isinstance(finished, Finished)
    prompts = old_recipe(tmp_path / "run").sample.prompts
    assert prompts[0] == "" and prompts[1].startswith("Mummo sanoi: ")
    told = [json.loads(line)["prompt"] for line in (tmp_path / "run/samples.jsonl").read_text().splitlines()]
    assert set(told) == set(prompts)


def test_a_run_can_be_resumed_from_its_first_moment(stories, tmp_path):
    recipe = new_recipe([str(stories)], steps=3, settings=SETTINGS)
    events = run(recipe, tmp_path / "run")
    next(event for event in events if isinstance(event, Started))
    events.close()  # as a kill would
    assert load_counters(tmp_path / "run").step == 0
    *_, finished = run(old_recipe(tmp_path / "run"), tmp_path / "run", resume=True)
    assert finished.step == 3


def test_a_run_that_never_starts_leaves_its_folder_unchanged(tmp_path):
    (tmp_path / "short.txt").write_text("too short")
    (tmp_path / "mine").mkdir()
    for folder, is_kept in (("new", False), ("mine", True)):
        with pytest.raises(tavu.TavuError, match="expected at least one row"):
            tavu.train([str(tmp_path / "short.txt")], steps=1, out=tmp_path / folder, settings=SETTINGS)
        assert (tmp_path / folder).exists() == is_kept
    assert not list((tmp_path / "mine").iterdir())


@pytest.mark.parametrize(
    ("source", "name"),
    [("tales", "tales"), ("tales:200", "tales"), ("texts/", "texts"), ("texts/*", "texts"), ("a/stories.txt.gz", "stories"), ("/", "run")],
)
def test_a_folder_is_named_after_the_first_source(tmp_path, monkeypatch, source, name):
    monkeypatch.chdir(tmp_path)
    assert [new_folder(None, source) for _ in range(3)] == [Path("runs") / taken for taken in (name, f"{name}-2", f"{name}-3")]
    assert new_folder("elsewhere", source) == Path("elsewhere")


def test_sources_are_found_again_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "tales").mkdir()
    recipe = new_recipe(["a.txt", "tales", "./tales", "tales:20"], valid=["a.txt"], steps=1)
    assert recipe.data.sources == (str(tmp_path / "a.txt"), "tales", str(tmp_path / "tales"), "tales:20")
    assert recipe.data.valid == (str(tmp_path / "a.txt"),)


def test_the_number_of_plots_follows_the_first_budget_in_minutes(run_folder, tmp_path):
    def sources(*named: str, **budget: float) -> tuple[str, ...]:
        return new_recipe(named, **budget).data.sources

    assert sources("tales", minutes=2) == ("tales:4-plots",)
    assert sources("tales") == ("tales:20-plots",)  # ten minutes
    assert sources("tales", minutes=60) == sources("tales", steps=3) == ("tales",)
    assert sources("tales:40000", "tales:200", "tales:9-plots", minutes=2) == ("tales:40000", "tales:200", "tales:9-plots")
    begun = replace(new_recipe(["tales"], steps=3), sample=ProgressConfig(("Once",)))
    (tmp_path / "recipe.toml").write_text(to_toml(begun))
    assert old_recipe(tmp_path, minutes=2).data.sources == ("tales",)  # as an earlier version has begun it


def test_an_old_recipe_with_a_new_budget(run_folder):
    assert old_recipe(run_folder).train.steps == 20
    assert (old_recipe(run_folder, minutes=3).train.minutes, old_recipe(run_folder, minutes=3).train.steps) == (3, None)
    assert old_recipe(run_folder, steps=30, settings=["train.muon_learning_rate=0.01"]).train.muon_learning_rate == 0.01
    for setting in ("model.max_patch_size=9", "train.seed=3", "train.batch_bytes=512", "data.text_field=x"):
        with pytest.raises(tavu.TavuError, match="A resumed run keeps the model, data settings, batch_bytes, seed and teachers that it started with"):
            old_recipe(run_folder, settings=[setting])


def test_a_recipe_that_is_missing_or_damaged(tmp_path):
    with pytest.raises(tavu.TavuError, match=r"is not a run folder: it has no recipe\.toml\. Name one that `tavu train` made"):
        old_recipe(tmp_path)
    (tmp_path / "recipe.toml").write_bytes(b"\xff\xfe[model")
    with pytest.raises(tavu.TavuError, match=r"recipe\.toml is not valid TOML"):
        old_recipe(tmp_path)


def test_a_state_that_is_missing_or_damaged(run_folder, stories, tmp_path):
    (tmp_path / "recipe.toml").write_text((run_folder / "recipe.toml").read_text())
    recipe = old_recipe(tmp_path, steps=30)
    with pytest.raises(tavu.TavuError, match="holds no training to resume"):
        list(run(recipe, tmp_path, resume=True))
    (tmp_path / "state").mkdir()
    for content in (b"", (run_folder / "state/training.safetensors").read_bytes()[:9000]):
        (tmp_path / "state/training.safetensors").write_bytes(content)
        with pytest.raises(tavu.TavuError, match=r"training\.safetensors is damaged \(.*Train again in another folder"):
            list(run(recipe, tmp_path, resume=True))
    assert (tmp_path / "recipe.toml").read_text() == (run_folder / "recipe.toml").read_text()
