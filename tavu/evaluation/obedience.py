"""Whether a story does what was asked for, by rules that know nothing of its language.

A word counts as present in any inflection that its beginning betrays: a word of the text that begins with its stem, and is at most five letters
longer (four than a short one). The stem is the first 70 % of its letters, and of words up to four letters all, but for a last vowel. So `make` is
found in "making" and `play` not in "place"; but `go` is not found in "went", and `quit` is in "quite": it errs both ways, seldom.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tavu.data.records import Request

TRIES = 4
"""How often a story is written at most while it lacks something that a rule can see: at about a twentieth of a second each."""
SEEDS_APART = 1_000_000
"""Of a story and its next try, so that stories of neighboring seeds have tries of their own."""
STEM_SHARE, SHORT, MIN_STEM = 0.7, 4, 3
MAX_ENDING, MAX_SHORT_ENDING = 5, 4
_VOWELS = frozenset("aeiouäöåаеёиоуыэюя")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_QUOTES = ('""', "“”", "””", "«»", "»«", "»»", "„“", "„”", "「」")
_QUOTED = re.compile("|".join(rf"{begin}[^{begin}{end}\n]*\w[^{begin}{end}\n]*{end}" for begin, end in _QUOTES))
_DASHED = re.compile(r"^\s*[—–-]\s*\w", re.MULTILINE)


@dataclass(frozen=True)
class Obedience:
    """Which parts of a request a story obeys, of those that can be checked."""

    words: dict[str, bool]
    features: dict[str, bool]
    sentence: bool | None
    """None: not asked for."""

    @property
    def checks(self) -> list[bool]:
        return [*self.words.values(), *self.features.values(), *([] if self.sentence is None else [self.sentence])]

    @property
    def share(self) -> float:
        """Of all checks, how many are passed; 1 where there is none."""
        return sum(self.checks) / len(self.checks) if self.checks else 1.0


def obedience(request: Request, story: str) -> Obedience:
    """What of a request a story obeys. Summaries, and features that no rule can see, are not judged."""
    present = words_of(story)
    return Obedience(
        words={word: has_word(present, word) or (not _split(word) and word in story) for word in request.words},  # 🐻 is a wish, too
        features={feature: check(story) for feature in request.features if (check := FEATURE_CHECKS.get(feature.strip().lower()))},
        sentence=has_sentence(story, request.sentence) if request.sentence else None,
    )


def words_of(text: str) -> set[str]:
    """The different words of a text, without case."""
    return set(_split(text))


def _split(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(unicodedata.normalize("NFC", text))]


def has_word(present: set[str], word: str) -> bool:
    """Whether a word, or several that belong together, are among those present, inflected or not."""
    parts = _split(word)
    return bool(parts) and all(any(is_inflection(other, part) for other in present) for part in parts)


def places_of_words(words: Sequence[str], text: str) -> list[tuple[int, int]]:
    """Where the text has those of the words that it has, inflected or not, as the first character and the one after the last.

    >>> places_of_words(("key", "oak"), "Two keys, and a lock.")
    [(4, 8)]
    """
    present = words_of(text)
    parts = {part for word in words if has_word(present, word) for part in _split(word)}
    met = {word for word in present if any(is_inflection(word, part) for part in parts)}
    return [found.span() for found in _WORD.finditer(text) if met.intersection(_split(found[0]))]


def is_inflection(word: str, of: str) -> bool:
    """Whether a word may be another one inflected, told by its beginning.

    >>> is_inflection("making", of="make"), is_inflection("place", of="play"), is_inflection("козу", of="коза")
    (True, False, True)
    """
    stem = of[: max(SHORT, math.ceil(STEM_SHARE * len(of)))]
    if len(of) <= SHORT and of[-1] in _VOWELS:
        stem = of[:-1]
    longest = len(of) + (MAX_ENDING if len(of) > SHORT else MAX_SHORT_ENDING)
    return word == of or (len(stem) >= MIN_STEM and word.startswith(stem) and len(word) <= longest)


def has_sentence(story: str, sentence: str) -> bool:
    """Whether a sentence stands in a story as it is, line breaks aside."""
    return " ".join(sentence.split()) in " ".join(story.split())


def has_dialogue(story: str) -> bool:
    """Whether somebody speaks: something in quotation marks, or lines that begin with a dash."""
    return bool(_QUOTED.search(story)) or len(_DASHED.findall(story)) >= 2


FEATURE_CHECKS: dict[str, Callable[[str], bool]] = {"dialogue": has_dialogue, "содержать диалог": has_dialogue}
"""The features that a rule can see, in lower case, as data sets call them."""
