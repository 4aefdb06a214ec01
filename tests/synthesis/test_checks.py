"""Which texts are kept: language, length, words, refusals, near-duplicates."""

import pytest

from tavu.data.tales import tell
from tavu.synthesis.checks import Limits, Seen, cleaned, reason_to_reject
from tavu.synthesis.languages import profile_of
from tavu.synthesis.prompts import Draw

PROFILE = profile_of(tell(0, number).text for number in range(500))
DRAWN = Draw(0, ("run", "oak", "red"), ("Dialogue",), "", "")
GOOD = (
    'Ben had a red hat. He was running to the old oak tree in the park when the wind took his hat away. "Oh no!" said Ben. '
    "He looked up and saw a bird with the hat in its nest. The bird was cold, and the hat was warm. Ben let the bird keep it, and went home happy."
)
FINNISH = (
    "Olipa kerran pieni tyttö, jonka nimi oli Aino. Hän meni metsään ja näki suuren karhun. Karhu oli surullinen, koska sillä ei ollut ystävää. "
    '"Tule meille", sanoi Aino. run oak red Ja niin heistä tuli ystävät, ja he leikkivät yhdessä joka päivä.'
)


def reason(text, drawn=DRAWN):
    return reason_to_reject(cleaned(text), drawn, Limits(100, 2000), PROFILE)


def test_a_good_text_is_kept_and_thoughts_are_removed():
    assert reason(GOOD) is None
    assert cleaned(f"<think>\nA story about Ben.\n</think>\n\n {GOOD}\n") == GOOD


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        (f"{GOOD}\ufffd", "damaged characters"),
        (f"{GOOD}<|im_end|>", "damaged characters"),
        (f"{GOOD}\ud800", "damaged characters"),
        (f"I'm sorry, but I cannot do that. {GOOD}", "refusal"),
        (f"Sure! Here is your story:\n\n{GOOD}", "preamble or title"),
        (f"Here's a story for you.\n{GOOD}", "preamble or title"),
        (f"**The Hat**\n\n{GOOD}", "preamble or title"),
        (f"# The Hat\n{GOOD}", "preamble or title"),
        (f"Title: The Hat\n{GOOD}", "preamble or title"),
        (f"Tässä on tarina:\n{GOOD}", "preamble or title"),
        (f"{GOOD}\n\nI hope you like this story!", "remark at the end"),
        (f"{GOOD}\nNote: all words are simple.", "remark at the end"),
        (GOOD[:80], "too short"),
        (GOOD * 10, "too long"),
        (FINNISH, "another language"),
        (GOOD.replace("oak", "elm"), "a word is missing"),
        (GOOD.replace('"', ""), "no dialogue"),
        (GOOD[:150] * 6, "repeats itself"),
    ],
)
def test_reasons(text, said):
    assert reason(text) == said


def test_the_language_check_tells_languages_apart_by_known_text_alone():
    assert all(PROFILE.fits(tell(7, number).text) for number in range(200))
    assert PROFILE.fits(GOOD) and not PROFILE.fits(FINNISH) and not PROFILE.fits("Жили-были дед и баба, и была у них курочка Ряба.")
    assert profile_of([FINNISH]).fits(FINNISH) and not profile_of([FINNISH]).fits(GOOD)


def test_near_duplicates_are_found_and_other_texts_are_not():
    seen = Seen()
    for number in range(30):
        seen.add(tell(3, number).text)
    text = tell(3, 5).text
    assert seen.has_like(text) and seen.has_like(text.replace(" the ", " a ", 2).upper())
    assert not seen.has_like(GOOD) and not seen.has_like(FINNISH)
