"""Training runs small enough for tests: a tiny model, two hundred tales."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tavu.config import DataConfig, Recipe
from tavu.data.corpus import Corpus, build_corpus
from tavu.recipe import override, read_preset, to_recipe

TINY = (
    "model.max_seq_len=64",
    "model.word_rows=256",
    "model.pair_rows=256",
    "model.prefix_rows=256",
    "model.ngram_rows=256",
    "model.phrase_orders=[1, 2]",
    "model.phrase_rows=256",
    "model.lexicon_words=256",
    *(f"model.levels.0.{key}" for key in ("dim=32", "num_layers=2", "num_heads=2", "mlp_dim=64")),
    *(f"model.levels.1.{key}" for key in ("dim=16", "num_layers=1", "mlp_dim=32")),
    "train.batch_bytes=256",
    "train.valid_bytes=2000",
    "train.milestones=3",
    "train.device=cpu",
    "train.precision=fp32",
    "train.micro_batch_rows=4",
    "train.compile=off",
    "train.steps=20",
    "sample.max_bytes=20",
    'sample.prompts=["Once"]',
)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return build_corpus(DataConfig(("tales:200",)), cache_dir=tmp_path_factory.mktemp("corpora"))


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """So small that the tiny run trains for two epochs."""
    return build_corpus(DataConfig(("tales:5",)), cache_dir=tmp_path_factory.mktemp("corpora"))


@pytest.fixture
def tiny() -> Callable[..., Recipe]:
    """tiny("train.steps=5") is a recipe that trains in under a second."""
    return lambda *settings: to_recipe(override(read_preset("words"), [*TINY, *settings]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"
