"""Forced words are present, the model writes the rest, and max_bytes holds."""

import pytest
import torch

from tavu.config import SamplingConfig
from tavu.evaluation.bits_per_byte import ending_bits
from tavu.evaluation.forced_words import write_with_words
from tavu.evaluation.obedience import has_word, words_of
from tavu.evaluation.torch_scorer import TorchScorer, id_bits
from tavu.generation.decoder import TorchWriter
from tavu.generation.writing import write
from tavu.vocabulary import END


def test_every_word_is_present(either_model):
    for seed in range(3):
        written = write_with_words(
            TorchWriter(either_model), TorchScorer(either_model), b"Once", ["oak", "äiti", "gloomy"], SamplingConfig(max_bytes=1500, seed=seed)
        )
        present = words_of(written.text)
        assert all(has_word(present, word) for word in ("oak", "äiti", "gloomy")), written.text
        assert len(written.content) <= 1500


def test_without_words_it_equals_write(either_model):
    config = SamplingConfig(max_bytes=40, seed=3)
    assert (
        write_with_words(TorchWriter(either_model), TorchScorer(either_model), b"Once", [], config).content
        == write(TorchWriter(either_model), b"Once", config)[0].content
    )


def test_a_word_is_inserted_into_a_memorized_text(trained_model):
    """The model has memorized "hello there." and its END. The word is inserted all the same."""
    written = write_with_words(TorchWriter(trained_model), TorchScorer(trained_model), b"hello", ["oak"], SamplingConfig(temperature=0, max_bytes=60))
    assert "oak" in written.text and len(written.content) <= 60


@torch.inference_mode()
def test_the_bits_of_an_ending_are_those_of_its_bytes(either_model):
    bits = id_bits(either_model(torch.tensor([[END, *b"one two three"]])), torch.tensor([[END, *b"one two three"]]))[0]
    (cost, other) = ending_bits(TorchScorer(either_model), [(b"one ", b"two "), (b"", b"one")])
    assert cost == pytest.approx(float(bits[5:9].sum()), rel=1e-4) and other == pytest.approx(float(bits[1:4].sum()), rel=1e-4)
