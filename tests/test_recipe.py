"""Recipes round-trip through TOML, presets build, and each error names the setting."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tavu.config import (
    DataConfig,
    FixedPatchConfig,
    LevelConfig,
    MLPStackConfig,
    ProgressConfig,
    Recipe,
    TrainConfig,
    TransformerConfig,
    WordPatchConfig,
)
from tavu.errors import TavuError
from tavu.model.designs import build_model, cost
from tavu.recipe import override, parse_toml, preset_names, read_preset, to_model_config, to_recipe, to_tables, to_toml

positive = st.integers(1, 10**9)
fraction = st.floats(0, 0.5)


@st.composite
def train_configs(draw) -> TrainConfig:
    minutes = draw(st.none() | st.floats(0.01, 1e6))
    return TrainConfig(
        minutes=minutes, steps=draw(positive) if minutes is None else None, batch_bytes=draw(positive), seed=draw(st.integers(0, 2**63 - 1)),
        muon_learning_rate=draw(st.floats(0, 10)), warmup_fraction=draw(fraction), decay_fraction=draw(fraction), patience=draw(st.floats(0.01, 1)),
        device=draw(st.sampled_from(["auto", "cpu"])), save_every_steps=draw(st.integers(0, 9)),
        save_every_seconds=draw(st.just(math.inf) | st.floats(1, 99)),
    )  # fmt: skip


@st.composite
def models(draw) -> FixedPatchConfig | WordPatchConfig:
    heads, layers = draw(st.integers(1, 8)), draw(st.integers(1, 9))
    if draw(st.booleans()):
        orders = tuple(draw(st.lists(st.integers(2, 16), unique=True)))
        levels = (TransformerConfig(8 * heads, layers, heads, 32), MLPStackConfig(8, 1, 8))
        return WordPatchConfig(levels, draw(st.integers(2, 999)), max_patch_size=draw(st.integers(2, 255)), ngram_orders=orders)
    levels = (LevelConfig(8 * heads, layers, heads, 32, 8), LevelConfig(8, 1, 1, 8, 4), LevelConfig(8, 1, 1, 8))
    return FixedPatchConfig(levels, 8 * draw(st.integers(1, 99)), conv_encoder=draw(st.booleans()), cross_patch_bytes=draw(st.integers(0, 4)))


sources = st.lists(st.text(min_size=1), min_size=1).map(tuple)
texts = st.builds(DataConfig, sources=sources, text_field=st.none() | st.just("story"), split=st.sampled_from((None, "lines")))
raw_bytes = st.builds(DataConfig, sources=sources, as_bytes=st.just(True), record_bytes=st.none() | positive)
recipes = st.builds(
    Recipe,
    model=models(),
    data=texts | raw_bytes,
    train=train_configs(),
    sample=st.builds(ProgressConfig, prompts=st.lists(st.text()).map(tuple), max_bytes=positive, temperature=st.floats(0, 9)),
)


@given(recipes)
def test_toml_round_trip(recipe):
    assert to_recipe(parse_toml(to_toml(recipe), "recipe.toml")) == recipe
    assert to_model_config(to_tables(recipe.model)) == recipe.model


@given(recipes)
def test_settings_one_by_one_make_the_recipe_too(recipe):
    tables = to_tables(recipe)
    numbers = {(section, key): value for section, table in tables.items() for key, value in table.items() if isinstance(value, (bool, int, float))}
    without = {section: {key: value for key, value in table.items() if (section, key) not in numbers} for section, table in tables.items()}
    settings = [f"{section}.{key}={str(value).lower()}" for (section, key), value in numbers.items()]
    assert to_recipe(override(without, settings)) == recipe


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_a_recipe_that_builds_and_runs(name):
    recipe = to_recipe(read_preset(name))
    assert to_recipe(parse_toml(to_toml(recipe), name)) == recipe
    with torch.device("meta"):
        counted = cost(recipe.model).num_parameters
    smaller = override(read_preset(name), [f"model.levels.{i}.num_layers=1" for i in range(len(recipe.model.levels))])
    model = build_model(to_recipe(smaller).model)
    assert 0 < sum(p.numel() for p in model.parameters()) <= counted
    with torch.inference_mode():
        assert model(torch.tensor([[256, *b"Hello"]])).shape == (1, 6, 257)


def test_presets_named_in_the_code_exist():
    assert {"words", "megabyte"} <= set(preset_names())


def test_overrides_reach_lists_tables_and_new_keys():
    settings = ["model.levels.1.num_layers=2", "data.valid=a.txt", "train.device=cpu", "sample.prompts=[]"]
    recipe = to_recipe(override(read_preset("megabyte"), settings))
    assert recipe.model.levels[1].num_layers == 2
    assert (recipe.data.valid, recipe.train.device, recipe.sample.prompts) == (("a.txt",), "cpu", ())
    assert to_recipe(override(read_preset("words"), ["data.sources=a=b.txt"])).data.sources == ("a=b.txt",)
    assert to_recipe(override(read_preset("words"), ["train.minutes=none", "train.steps = 7"])).train.steps == 7
    assert to_recipe(override(read_preset("words"), ["train.minutes=3"])).train.minutes == 3.0


def test_overrides_do_not_change_their_input():
    tables = read_preset("megabyte")
    before = to_tables(to_recipe(tables))
    override(tables, ["model.levels.0.dim=128", "train.seed=4"])
    assert to_tables(to_recipe(tables)) == before


WRONG = {
    "train.stpes=5": "There is no setting train.stpes. Did you mean train.steps?",
    "trian.steps=5": "There is no section trian. Did you mean train?",
    "train.zzz=5": "There is no setting train.zzz. Known: minutes, steps,",
    "model.levels.0.layers=5": "There is no setting model.levels.0.layers. Did you mean model.levels.0.num_layers?",
    "train.seed=now": "train.seed is 'now', expected a whole number.",
    "train.seed=1.5": "train.seed is 1.5, expected a whole number.",
    "train.seed=true": "train.seed is True, expected a whole number.",
    "train.minutes=true": "train.minutes is True, expected a number.",
    "train.minutes=soon": "train.minutes is 'soon', expected a number.",
    "train.minutes=nan": "train.minutes is nan, expected more than 0.",
    "train.muon_learning_rate=nan": "train.muon_learning_rate is nan, expected",
    "train.clip_norm=" + "9" * 400: "expected a number.",
    "train.seed=" + "9" * 5000: "expected a whole number.",
    "train.seed=" + "[" * 5000: "expected a whole number.",
    "train.device=3": "train.device is 3, expected a text.",
    "data.as_bytes=1": "data.as_bytes is 1, expected true or false.",
    "data.sources=[1]": "data.sources.0 is 1, expected a text.",
    "train.seed=2020-01-01": "expected a whole number.",
    "train=5": "--set 'train=5' is not of the form section.key=value, e.g. train.steps=100.",
    "train.steps": "is not of the form section.key=value",
    "": "is not of the form section.key=value",
    "model.levels.0.patch_size=4": "model.levels.0.patch_size is 4, expected no value: words decide where patches begin.",
    "model.levels.1.num_heads=2": "model.levels.1.num_heads is 2, expected 0: the local model is a stack of MLPs.",
    "model.levels.7.dim=5": "7 is not an index of a list of 2, expected 0 to 1.",
    "model.levels.x.dim=5": "x is not an index of a list of 2, expected 0 to 1.",
    "model.levels.0=5": "model.levels.0 is 5, expected a table.",
    "model.max_seq_len.x=5": "cannot set x inside a plain value.",
    "model.patching=pairs": "model.patching is 'pairs', expected one of fixed, words.",
    "model.patching=[1]": "model.patching is [1], expected one of fixed, words.",
    "train.minutes=none": "train.minutes is None, expected a budget",
}


def test_levels_of_words_in_files_of_every_version():
    """Earlier versions had one kind of level, with heads and a patch size."""
    tables = read_preset("words")
    settings = ["model.levels.0.patch_size=1", "model.levels.1.patch_size=1", "model.levels.1.num_heads=0"]
    recipe = to_recipe(override(tables, settings))
    assert recipe == to_recipe(tables)
    level, local = to_tables(recipe.model)["levels"]
    assert level["patch_size"] == local["patch_size"] == 1 and local["num_heads"] == 0


@pytest.mark.parametrize("setting", WRONG, ids=lambda setting: setting[:30])
def test_errors_of_wrong_settings(setting):
    with pytest.raises(TavuError) as raised:
        to_recipe(override(read_preset("words"), [setting]))
    assert WRONG[setting] in str(raised.value)


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        ({"model": 3}, "model is 3, expected a table."),
        ({"model": {"patching": "words", "levels": [3, 4]}}, "model.levels.0 is 3, expected a table."),
        ({"model": {"patching": "words"}}, "model.levels is missing."),
        ({"model": {"patching": "words", "levels": [{"dim": 4}]}}, "model.levels.0.num_layers is missing."),
        ({}, "model.patching is None, expected one of fixed, words."),
        ({"train": [1]}, "train is [1], expected a table."),
    ],
)
def test_errors_of_wrong_tables(tables, sentence):
    with pytest.raises(TavuError) as raised:
        to_recipe(tables)
    assert sentence == str(raised.value)


@given(st.text(max_size=12), st.text(max_size=12))
def test_any_text_in_a_setting_gives_a_recipe_or_an_error(key, value):
    for setting in (f"{key}={value}", f"train.{key}={value}", f"train.seed={value}", f"model.levels.{key}={value}", f"data.sources={value}"):
        try:
            to_recipe(override(read_preset("words"), [setting]))
        except TavuError:
            continue


def test_an_unknown_preset_suggests_similar_names():
    with pytest.raises(TavuError, match=r"no preset 'wrds', expected one of megabyte, .*words-large, or a \.toml file\. Did you mean words\?"):
        read_preset("wrds")
    with pytest.raises(TavuError, match="There is no preset"):
        read_preset("x" * 300)


def test_a_preset_may_be_a_file(tmp_path):
    recipe = dataclasses.replace(to_recipe(read_preset("words")), train=TrainConfig(minutes=None, steps=3))
    path = tmp_path / "mine.toml"
    path.write_text(to_toml(recipe))
    assert to_recipe(read_preset(str(path))) == recipe
    for content in (b"[model", b"a = 1\na = 2", b"\xff\xfe\x00", b"x = " + b"[" * 5000):
        path.write_bytes(content)
        with pytest.raises(TavuError, match=r"mine\.toml is not valid TOML: "):
            read_preset(str(path))
