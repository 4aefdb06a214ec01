"""Check whether a story follows its request, by rules that do not depend on the language.

A word counts as present if the text has an inflection of it: a word that starts with its stem and is at most five letters longer (four if the word
is short). The stem is the first 70 % of the letters. Words up to four letters keep all of them, except a final vowel. So `make` is found in "making"
and `play` is not found in "place". The rule is sometimes wrong: `go` is not found in "went", and `quit` is found in "quite".
"""

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tavu.data.records import Request

TRIES = 4
"""The most attempts at a story that does not follow its request. Each takes about 50 ms."""
SEED_STRIDE = 1_000_000
"""The seed distance between two attempts at a story, so that stories of neighboring seeds do not share attempts."""
STEM_SHARE, SHORT, MIN_STEM = 0.7, 4, 3
MAX_ENDING, MAX_SHORT_ENDING = 5, 4
_VOWELS = frozenset("aeiouäöåаеёиоуыэюя")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_QUOTES = ('""', "“”", "””", "«»", "»«", "»»", "„“", "„”", "「」")
_QUOTED = re.compile("|".join(rf"{begin}[^{begin}{end}\n]*\w[^{begin}{end}\n]*{end}" for begin, end in _QUOTES))
_DASHED = re.compile(r"^\s*[—–-]\s*\w", re.MULTILINE)


@dataclass(frozen=True)
class Obedience:
    """Which parts of a request a story follows, as far as they can be checked."""

    words: dict[str, bool]
    features: dict[str, bool]
    sentence: bool | None
    """None: not asked for."""

    @property
    def checks(self) -> list[bool]:
        return [*self.words.values(), *self.features.values(), *([] if self.sentence is None else [self.sentence])]

    @property
    def share(self) -> float:
        """The fraction of checks that pass; 1 if there are none."""
        return sum(self.checks) / len(self.checks) if self.checks else 1.0


def obedience(request: Request, story: str) -> Obedience:
    """Check a story against a request. Summaries, and features without a check, are ignored."""
    present = words_of(story)
    return Obedience(
        words={word: has_word(present, word) or (not _split(word) and word in story) for word in request.words},  # 🐻 is not made of letters
        features={feature: check(story) for feature in request.features if (check := FEATURE_CHECKS.get(feature.strip().lower()))},
        sentence=has_sentence(story, request.sentence) if request.sentence else None,
    )


def words_of(text: str) -> set[str]:
    """The distinct words of a text, case-folded."""
    return set(_split(text))


def _split(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(unicodedata.normalize("NFC", text))]


def has_word(present: set[str], word: str) -> bool:
    """Whether all parts of a word (several, if it is a phrase) are present, possibly inflected."""
    parts = _split(word)
    return bool(parts) and all(any(is_inflection(other, part) for other in present) for part in parts)


def places_of_words(words: Sequence[str], text: str) -> list[tuple[int, int]]:
    """The (start, stop) character spans of requested words in the text, possibly inflected. A phrase counts only if all its parts are present.

    >>> places_of_words(("key", "oak"), "Two keys, and a lock.")
    [(4, 8)]
    """
    present = words_of(text)
    parts = {part for word in words if has_word(present, word) for part in _split(word)}
    met = {word for word in present if any(is_inflection(word, part) for part in parts)}
    return [found.span() for found in _WORD.finditer(text) if met.intersection(_split(found[0]))]


def is_inflection(word: str, of: str) -> bool:
    """Whether a word looks like an inflection of another, judged by its stem.

    >>> is_inflection("making", of="make"), is_inflection("place", of="play"), is_inflection("козу", of="коза")
    (True, False, True)
    """
    stem = of[: max(SHORT, math.ceil(STEM_SHARE * len(of)))]
    if len(of) <= SHORT and of[-1] in _VOWELS:
        stem = of[:-1]
    longest = len(of) + (MAX_ENDING if len(of) > SHORT else MAX_SHORT_ENDING)
    return word == of or (len(stem) >= MIN_STEM and word.startswith(stem) and len(word) <= longest)


def has_sentence(story: str, sentence: str) -> bool:
    """Whether a story contains a sentence verbatim, except for white space."""
    return " ".join(sentence.split()) in " ".join(story.split())


def has_dialogue(story: str) -> bool:
    """Whether a story contains dialogue: text in quotation marks, or two lines that start with a dash."""
    return bool(_QUOTED.search(story)) or len(_DASHED.findall(story)) >= 2


FEATURE_CHECKS: dict[str, Callable[[str], bool]] = {"dialogue": has_dialogue, "содержать диалог": has_dialogue}
"""The features that can be checked, by their lower-case names in data sets."""
