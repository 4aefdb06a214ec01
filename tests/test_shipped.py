"""The model that comes with tavu: small, documented, and able to write whole stories."""

import re

import pytest

import tavu
from tavu.stored_model import SHIPPED, find_model


@pytest.fixture(scope="module")
def stories():
    return tavu.load("stories")


def test_it_is_found_by_its_name_and_fits_in_8_megabytes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_model("stories") == SHIPPED / "stories.safetensors"
    assert (SHIPPED / "stories.safetensors").stat().st_size <= 8_000_000
    (tmp_path / "stories").mkdir()  # a folder of texts, perhaps
    assert find_model("stories") == SHIPPED / "stories.safetensors"
    (tmp_path / "stories" / "model.safetensors").write_bytes(b"")  # a run of one's own goes before it
    assert str(find_model("stories")) == "stories/model.safetensors"


def test_its_facts_name_its_origin(stories):
    assert "CDLA" in stories.facts["note"] and stories.facts["val_bpb"] < 1 and stories.facts["weight_bits"] == 8


def test_it_writes_a_story_that_ends(stories):
    text = stories.generate("Once upon a time", seed=0, max_bytes=2000)
    assert 200 < len(text) < 2000 and len(set(re.findall(r"\w+", text))) > 40


def test_it_knows_stories_better_than_nonsense(stories):
    story = "Once upon a time, there was a little girl named Lily. She loved to play in the park."
    assert stories.bits_per_byte(story).bits_per_byte < 0.5 * stories.bits_per_byte(" ".join(sorted(story.split()))).bits_per_byte


def test_both_engines_write_the_same(stories):
    """From the shipped 8-bit file."""
    other = tavu.load("stories", engine="torch")
    for prompt in ("Once upon a time", "The dog", ""):
        assert other.generate(prompt, temperature=0, max_bytes=250) == stories.generate(prompt, temperature=0, max_bytes=250)
