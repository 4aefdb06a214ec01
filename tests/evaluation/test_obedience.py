"""The checks of requests agree with a human reader."""

import pytest

from tavu.data.records import Request
from tavu.evaluation.obedience import has_dialogue, has_word, obedience, words_of


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("quit", "They are quitting."), ("oak", "Two OAKS!"), ("don't", "I don't"), ("a", "a"),
        ("make", "She was making it"), ("happy", "happily"), ("коза", "козу"), ("танцор", "танцором"),
        ("ice cream", "creamy ice"), ("äiti", "a\u0308itinsa\u0308"),
    ],
)  # fmt: skip
def test_words_that_are_present(word, text):
    assert has_word(words_of(text), word)


@pytest.mark.parametrize(
    ("word", "text"),
    [("play", "a place to plan"), ("oak", "a cloak"), ("tree", "treasures"), ("a", "an apple"), ("ice cream", "ice"), ("!", "!"), ("", "x")],
)
def test_words_that_are_missing(word, text):
    assert not has_word(words_of(text), word)


@pytest.mark.parametrize("text", ['"Stop!" he said.', "“Stop”, he said", "»Seis», hän sanoi.", "”Seis”", "«Стой»", "— Hei!\n— No hei.", "「はい」"])
def test_dialogue(text):
    assert has_dialogue(text)


@pytest.mark.parametrize("text", ["He said nothing.", 'a 5" nail', '"', '"\n"', "well-known - and liked", "- a list of one"])
def test_no_dialogue(text):
    assert not has_dialogue(text)


def test_a_request_without_letters_is_searched_verbatim():
    assert obedience(Request(words=("🐻", "🦊")), "One day a 🐻 came.").words == {"🐻": True, "🦊": False}


def test_the_share_of_checks_that_pass():
    request = Request(("oak", "elm"), ("Dialogue", "Twist"), "whatever", "It is  late.")
    obeyed = obedience(request, 'The oaks. "Yes. It is late." It is\nlate.')
    assert obeyed.words == {"oak": True, "elm": False} and obeyed.features == {"Dialogue": True} and obeyed.sentence is True
    assert obeyed.share == 3 / 4  # a twist and a summary are not checked
    assert obedience(Request(summary="x"), "y").share == 1
