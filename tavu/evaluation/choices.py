"""Forced choices: a beginning with a sensible and a wrong ending. The model chooses the one with fewer bits per byte.

There are two kinds. For English, the beginnings are those of Eldan and Li 2023 (arXiv 2305.07759, section 4.2), who read what models wrote after
them; the two endings (choices.jsonl) are ours, so that scoring is automatic. For any language, pairs are made from stories: the original, and a
copy with an obvious error.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources

from tavu.data.derive import sentences_of
from tavu.evaluation.bits_per_byte import Scorer, ending_bits

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Choice:
    """A beginning with its right and its wrong ending."""

    kind: str
    beginning: str
    right: str
    wrong: str


@dataclass(frozen=True)
class ScoredChoice:
    """The bits of both endings under a model."""

    choice: Choice
    right_bits: float
    wrong_bits: float

    @property
    def is_right(self) -> bool:
        """Whether the right ending has fewer bits per byte. Endings differ in length, so total bits would favor short ones."""
        right, wrong = len(self.choice.right.encode()), len(self.choice.wrong.encode())
        return self.right_bits / right < self.wrong_bits / wrong


def english_choices() -> list[Choice]:
    """The English choices, of three kinds: facts, reasoning and context."""
    lines = (resources.files("tavu.evaluation") / "choices.jsonl").read_text(encoding="utf-8").splitlines()
    return [Choice(**json.loads(line)) for line in lines]


def make_choices(stories: Sequence[str], per_kind: int, seed: int = 0) -> list[Choice]:
    """Up to per_kind choices of each kind, made from stories: two words swapped, two sentences swapped, or the last mention of a name replaced."""
    rng = random.Random(seed)
    names = [name for name, count in _names(stories).most_common(50) if count > 1]
    made: dict[str, list[Choice]] = {"word order": [], "sentence order": [], "name": []}
    for story in stories:
        for pair in _pairs(story, names, rng):
            if len(made[pair.kind]) < per_kind:
                made[pair.kind].append(pair)
        if all(len(pairs) == per_kind for pairs in made.values()):
            break
    return [pair for pairs in made.values() for pair in pairs]


def choose(scorer: Scorer, choices: Sequence[Choice]) -> list[ScoredChoice]:
    """Score both endings of each choice."""
    texts = [(choice.beginning.encode(), ending.encode()) for choice in choices for ending in (choice.right, choice.wrong)]
    bits = ending_bits(scorer, texts)
    return [ScoredChoice(choice, *bits[2 * i : 2 * i + 2]) for i, choice in enumerate(choices)]


def _pairs(story: str, names: Sequence[str], rng: random.Random) -> Iterator[Choice]:
    sentences = list(sentences_of(story))
    if len(sentences) < 4:
        return
    at = rng.randrange(2, len(sentences))
    beginning, sentence = " ".join(sentences[:at]) + " ", sentences[at]
    words = sentence.split(" ")
    places = [i for i in range(1, len(words) - 2) if words[i].isalpha() and words[i + 1].isalpha() and words[i] != words[i + 1]]
    if places:
        i = rng.choice(places)
        yield Choice("word order", beginning, sentence, " ".join([*words[:i], words[i + 1], words[i], *words[i + 2 :]]))
    if at + 1 < len(sentences) and sentences[at] != sentences[at + 1]:
        yield Choice("sentence order", beginning, f"{sentence} {sentences[at + 1]}", f"{sentences[at + 1]} {sentence}")
    here = [name for name in names if len(re.findall(rf"\b{re.escape(name)}\b", story)) > 1]
    others = [name for name in names if name not in story]
    if here and others:
        name, other = rng.choice(here), rng.choice(others)
        last = story.rindex(name)
        yield Choice("name", story[:last], name, other)


def _names(stories: Sequence[str]) -> Counter[str]:
    """Capitalized words that never occur in lower case, with the number of stories they occur in."""
    capital, small = Counter[str](), set[str]()
    for story in stories:
        words = set(_WORD.findall(story))
        capital.update({word for word in words if word[:1].isupper() and word[1:].islower()})
        small.update({word for word in words if word.islower()})
    return Counter({word: count for word, count in capital.items() if word.lower() not in small})
