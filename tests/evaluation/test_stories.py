"""The measures of stories have the expected values on texts made for these tests."""

import dataclasses
import math

import numpy as np
import pytest

from tavu.config import SamplingConfig
from tavu.data.records import Record, Request
from tavu.data.tales import tell_many
from tavu.errors import TavuError
from tavu.evaluation.choices import Choice, choose, english_choices, make_choices
from tavu.evaluation.stories import evaluate_stories
from tavu.evaluation.text_measures import CorpusNgrams, distinct, longest_copied, precision, repetition, words_in_order
from tavu.evaluation.torch_scorer import TorchScorer
from tavu.generation.decoder import TorchWriter
from tavu.reports.stories_page import stories_page

TALES = [tale.text for tale in tell_many(0, 60)]


def test_words_and_ngrams():
    words = words_in_order("The cat, the CAT! Ääni 7")
    assert words == ["the", "cat", "the", "cat", "ääni", "7"]
    assert distinct([words], 1) == 4 / 6 and distinct([words], 2) == 4 / 5 and distinct([], 2) == 0
    assert repetition(list("abcdabcd"), 4) == pytest.approx(1 / 5) and repetition(list("abc"), 4) == 0
    assert precision(list("abcd"), list("xbcd"), 2) == pytest.approx(2 / 3)


def test_copied_ngrams():
    train = [words_in_order(text) for text in ("one two three four five six", "seven eight nine")]
    seen = CorpusNgrams(train, 3)
    assert seen.share(list("abcd")) == 0 and seen.share(train[0]) == 1 and seen.share(["a"]) == 0
    assert longest_copied(["x", *train[0][1:], "y"], seen) == 5
    assert longest_copied(["six", "seven", "eight"], seen) == 0
    assert CorpusNgrams([], 3).share(train[0]) == 0


def test_choices_made_from_stories_differ_as_their_kind_says():
    pairs = make_choices(TALES, 10)
    assert {pair.kind for pair in pairs} == {"word order", "sentence order", "name"} and len(pairs) == 30
    assert pairs == make_choices(TALES, 10)
    for pair in pairs:
        assert pair.right != pair.wrong and pair.beginning
        if pair.kind != "name":
            assert sorted(words_in_order(pair.right)) == sorted(words_in_order(pair.wrong))
    assert {choice.kind for choice in english_choices()} == {"facts", "reasoning", "context"}


def test_the_bits_of_a_choice_are_those_of_its_endings(trained_model):
    """The model has memorized "tick tock " and "hello there."."""
    (chosen,) = choose(TorchScorer(trained_model), [Choice("x", "tick tock tick", " tock", " what")])
    assert chosen.is_right and chosen.right_bits < 3 and chosen.wrong_bits > 10
    (other,) = choose(TorchScorer(trained_model), [Choice("x", "tick tock tick", " what", " tock")])
    assert not other.is_right and other.right_bits == chosen.wrong_bits


@pytest.fixture(scope="module")
def evaluation(make_model, configs):
    request = Request(words=("oak",), features=("Dialogue",), sentence="He ran.")
    documents = [Record(request.prompt(), text, request).document() if i % 2 else text.encode() for i, text in enumerate(TALES)]
    model = make_model(dataclasses.replace(configs["words"], max_seq_len=2048))
    train = [text.encode() for text in TALES[:20]]
    return evaluate_stories(
        TorchScorer(model), TorchWriter(model), documents, train, SamplingConfig(max_bytes=30), follows_requests=True, num_stories=3, num_requests=2
    )


def test_all_measures_on_an_untrained_model(evaluation):
    by_name = {(m.group, m.name): m for m in evaluation.measures}
    assert by_name["Following requests", "words asked for that are there"].value == 0
    assert by_name["Copying from the training text", "8-grams that stand there"].value == 0
    assert by_name["Copying from the training text", "the same of the true endings"].value > 8
    assert by_name["Choosing between endings (half by chance)", "word order"].n > 20
    assert len(evaluation.stories) == 5 and sum(story.request is not None for story in evaluation.stories) == 2
    for measure in evaluation.measures:
        assert np.isfinite(measure.value) and (math.isnan(measure.standard_error) or measure.standard_error >= 0)


def test_the_page_shows_every_story_and_runs_nothing(evaluation):
    page = stories_page(evaluation, "<model>")
    assert page.count('<article class="written">') == 5 and "✗ oak" in page
    assert "<script" not in page and "<model>" not in page and "&lt;model&gt;" in page


def test_no_story_of_a_suitable_length(make_model, configs):
    model = make_model(configs["words"])
    with pytest.raises(TavuError, match="There is no story of 40 to 48 bytes to continue among 1 documents"):
        evaluate_stories(TorchScorer(model), TorchWriter(model), [b"Once."], [], SamplingConfig())
