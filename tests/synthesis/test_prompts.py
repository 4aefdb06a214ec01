"""Requests: the same for the same plan and number, and different from each other."""

import pytest

from tavu.data.records import records_of_row
from tavu.errors import TavuError
from tavu.synthesis.prompts import FEATURES, Plan, Subject, draw, prompt, read_subject
from tavu.synthesis.words import WordLists, english

PLAN = Plan("English", english())


def test_a_request_depends_on_the_plan_and_its_number_alone():
    assert [draw(PLAN, n) for n in range(50)] == [draw(Plan("English", english()), n) for n in range(50)]
    assert draw(PLAN, 7) != draw(Plan("English", english(), seed=1), 7)
    assert PLAN.digest() != Plan("Finnish", english()).digest()


def test_requests_differ():
    assert len({prompt(PLAN, draw(PLAN, n)) for n in range(1000)}) == 1000
    assert {feature for n in range(200) for feature in draw(PLAN, n).features} == set(FEATURES)


def test_a_prompt_names_all_that_was_drawn():
    drawn = draw(PLAN, 3)
    said = prompt(PLAN, drawn)
    assert all(f'{kind} "{word}"' in said for kind, word in zip(("verb", "noun", "adjective"), drawn.words, strict=True))
    assert all(FEATURES[feature] in said for feature in drawn.features) and drawn.style in said and drawn.beginning in said


def test_a_plain_list_gives_three_different_words():
    plan = Plan("Finnish", WordLists({"words": ("talo", "kissa", "punainen", "meri")}))
    assert all(len(set(draw(plan, n).words)) == 3 for n in range(50))
    assert "Write in Finnish." in prompt(plan, draw(plan, 0)) and 'the word "' in prompt(plan, draw(plan, 0))


def test_a_row_is_a_record():
    for plan in (PLAN, Plan("English", None, Subject("a report", ("frost",)))):
        drawn = draw(plan, 1)
        (record,) = records_of_row(drawn.row("Once."))
        assert record.completion == "Once." and record.request is not None
        assert (record.request.words, record.request.features, record.request.summary) == (drawn.words, drawn.features, drawn.topic)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('text = "a report"', "has no topics"),
        ('text = "a report"\ntopics = []', "topics is unknown, empty, or of the wrong type"),
        ('text = "a report"\ntopics = [1]', "topics is unknown, empty, or of the wrong type"),
        ('text = "a report"\ntopics = ["a"]\ntopic = "a"', "topic is unknown"),
        ("text = ", "cannot be read as a subject"),
    ],
)
def test_bad_subjects(tmp_path, content, said):
    (tmp_path / "a.toml").write_text(content, encoding="utf-8")
    with pytest.raises(TavuError, match=said):
        read_subject(tmp_path / "a.toml")
