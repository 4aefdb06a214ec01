"""Word lists, and content words found without a tagger."""

import random

import pytest

from tavu.data.tales import tell
from tavu.errors import TavuError
from tavu.synthesis.words import content_words, english, from_file, from_text

TALES = [tell(0, number).text for number in range(1500)]


def test_the_english_lists_are_a_few_hundred_different_words_each():
    lists = english().lists
    assert list(lists) == ["verbs", "nouns", "adjectives"] and english().per_list == 1
    assert all(len(words) > 200 and all(word.isascii() and word.islower() for word in words) for words in lists.values())


def test_content_words_are_found_without_function_words_and_names():
    words = content_words(TALES)
    assert len(words) > 300
    assert not {"the", "and", "was", "she", "with", "that", "once"} & set(words)
    names = {"mia", "tom", "ben", "lily"}
    assert not names & set(words)
    assert len({"cake", "robot", "kite", "snowman", "dragon", "seed"} & set(words)) >= 4


def test_a_language_that_capitalizes_its_nouns_keeps_them():
    rng = random.Random(0)
    nouns = [f"{a}{b}" for a in ("Baum", "Haus", "Hund", "Stein", "Fluss", "Vogel", "Brot", "Licht") for b in ("", "chen", "es", "ring", "hof")]
    documents = []
    for _ in range(600):
        one, other = rng.sample(nouns, 2)
        documents.append(" ".join([f"Dann sah das kleine {one} den großen {one} und das {other}."] * 8))
    assert len({noun.lower() for noun in nouns} & set(content_words(documents))) >= len(nouns) // 2 - 1


def test_too_little_text_is_refused():
    with pytest.raises(TavuError, match=r"short.txt has only 0 words .* Give more text, or a list of words with --words FILE"):
        from_text(["A text without spaces between words has too few."], "short.txt")


def test_words_of_a_file(tmp_path):
    plain, kinds = tmp_path / "a.txt", tmp_path / "a.toml"
    plain.write_text("talo\nkissa\n\npunainen\nkissa\n", encoding="utf-8")
    kinds.write_text('verbs = "juosta nukkua syödä"\nnouns = ["talo", "kissa", "iso talo"]', encoding="utf-8")
    assert from_file(plain).lists == {"words": ("talo", "kissa", "punainen")} and from_file(plain).per_list == 3
    assert from_file(kinds).lists["nouns"] == ("talo", "kissa", "iso talo")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"one\ntwo\n", "has a list of fewer than 3 words"),
        ("a.txt", b"\xff\xfe", "cannot be read as word lists"),
        ("a.toml", b"verbs = [1, 2, 3]", "verbs is not a list of words"),
        ("a.toml", b'adverbs = "so very much"', "adverbs is not a list of words"),
        ("a.toml", b"verbs = ", "cannot be read as word lists"),
    ],
)
def test_bad_word_files(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TavuError, match=said):
        from_file(tmp_path / name)
