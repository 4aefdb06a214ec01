"""Training gives the losses that it gave before: 20 steps of each preset in float32, held against losses.json.

The text is a copy of sixty of the built-in tales, so that new plots change nothing here. Rows and steps are few, tables and the depth of the largest
models small, so that all of it takes seconds; the design of each preset is its own.

For a change that is meant to change losses, write them anew with `make golden`, and say in records/LOG.md what they were and why they changed.
"""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from tavu.config import DataConfig
from tavu.data.corpus import Corpus, build_corpus
from tavu.recipe import override, preset_names, read_preset, to_recipe
from tavu.training.loop import train

HERE = Path(__file__).parent
LOSSES = HERE / "losses.json"
SETTINGS = (
    "model.max_seq_len=128",
    "train.steps=20",
    "train.batch_bytes=256",
    "train.muon_every=8",
    "train.milestones=1",
    "train.valid_bytes=300",
    "train.device=cpu",
    "train.precision=fp32",
    "train.compile=off",
    "sample.max_bytes=1",
    'sample.prompts=["Once"]',
)
AT_RANDOM, FROM_COUNTS = "train.counted_bytes=0", "train.steps=3"
SMALL_TABLES = (
    *(f"model.{name}=2048" for name in ("word_rows", "pair_rows", "prefix_rows", "ngram_rows", "phrase_rows")),
    "model.lexicon_words=512",
)
RUNS = {
    "megabyte": ("megabyte",),
    "megabyte-3-levels": ("megabyte-3-levels",),
    "megabyte-40m": ("megabyte-40m", "model.levels.0.num_layers=1", "model.levels.1.num_layers=1"),
    "words": ("words", AT_RANDOM),
    "words, from counts": ("words", FROM_COUNTS),
    "words-large": ("words-large", *SMALL_TABLES, AT_RANDOM),
    "words-large, from counts": ("words-large", *SMALL_TABLES, FROM_COUNTS),
}
CLOSE, CLOSE_FROM_COUNTS = 1e-5, 2e-3
"""Relative. Kernels for other processors (SSE4, AVX2, AVX-512; one thread or two) differ by 2.3e-7 at most, and by 4.5e-4 where tables start from
counts: their directions come from a singular value decomposition, and some singular values are nearly equal."""


def losses(corpus: Corpus, folder: Path, preset: str, *settings: str) -> list[float]:
    """The loss of each step in nats, and at the end validation in bits per byte."""
    seen: list[float] = []

    def loss_fn(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        loss = F.cross_entropy(logits.flatten(0, 1), ids.flatten())
        seen.append(loss.item())
        return loss

    *_, finished = train(to_recipe(override(read_preset(preset), [*SETTINGS, *settings])), corpus, folder, loss_fn=loss_fn)
    return [*seen, finished.validation.bits_per_byte]


def tales_corpus(cache: Path) -> Corpus:
    return build_corpus(DataConfig((str(HERE / "tales.txt"),)), cache_dir=cache)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return tales_corpus(tmp_path_factory.mktemp("corpora"))


def test_every_preset_has_golden_losses():
    assert {preset for preset, *_ in RUNS.values()} == set(preset_names())
    assert json.loads(LOSSES.read_text()).keys() == RUNS.keys()


@pytest.mark.parametrize("name", RUNS)
def test_losses_are_those_of_before(corpus, tmp_path, name):
    golden = json.loads(LOSSES.read_text())[name]
    measured = losses(corpus, tmp_path, *RUNS[name])
    shutil.rmtree(tmp_path)  # tens of megabytes
    assert measured == pytest.approx(golden, rel=CLOSE_FROM_COUNTS if FROM_COUNTS in RUNS[name] else CLOSE)


def write_losses() -> None:
    torch.set_num_threads(1)
    measured = {}
    for name, run in RUNS.items():
        with tempfile.TemporaryDirectory() as folder:
            measured[name] = losses(tales_corpus(Path(folder) / "corpora"), Path(folder), *run)
    lines = (f'  "{name}": {json.dumps([round(loss, 7) for loss in values])}' for name, values in measured.items())
    LOSSES.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    write_losses()
