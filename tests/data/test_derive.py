"""Derived requests are true of their story, specific, and deterministic."""

from tavu.data.derive import SENTENCE_BYTES, count_words, derive, sentences_of
from tavu.data.records import Request
from tavu.data.tales import tell_many
from tavu.evaluation.obedience import has_dialogue, obedience

STORIES = [tale.text for tale in tell_many(0, 400)]


def test_derived_fields_are_true_of_the_story():
    counts = count_words(STORIES)
    for story in STORIES:
        row = derive(story, counts, has_dialogue(story))
        assert row == derive(story, counts, has_dialogue(story)) and row["derived"] is True and row["story"] == story
        request = Request(tuple(row.get("words", ())), tuple(row.get("features", ())), "", row.get("sentence", ""))
        assert obedience(request, story).share == 1
        assert all(word in story for word in request.words)
        assert SENTENCE_BYTES[0] <= len(request.sentence.encode()) <= SENTENCE_BYTES[1] or not request.sentence


def test_variants_request_different_things():
    counts = count_words(STORIES)
    variants = [[derive(story, counts, has_dialogue(story), variant) for story in STORIES] for variant in (0, 1, 2)]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        same = sum(a.get("words") == b.get("words") for a, b in zip(variants[one], variants[other], strict=True))
        assert same < 0.8 * len(STORIES)
    assert all(row["story"] == story for rows in variants for row, story in zip(rows, STORIES, strict=True))


def test_words_are_neither_common_nor_rare_nor_names():
    counts = count_words(["Mia saw a rare zebra and the sea."] + ["Mia and the sea and Tom, the end."] * 9 + ["a b c d e f g"] * 100)
    assert counts.is_fit("sea") and counts.is_fit("end")
    assert not any(counts.is_fit(word) for word in ("mia", "tom", "zebra", "a", "unheard"))
    assert not count_words(["the sea"] * 9 + ["the end"] * 100).is_fit("the")


def test_sentences_make_up_the_story():
    for story in (*STORIES[:50], "日本。\n東京！ いい", "no end", "..."):
        assert "".join("".join(sentences_of(story)).split()) == "".join(story.split())
