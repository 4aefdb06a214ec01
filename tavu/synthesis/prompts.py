"""What a large model is asked to write: one text per request, different each time.

The recipe is that of TinyStories (Eldan and Li 2023, arXiv 2305.07759, section 2): a verb, a noun and an adjective are drawn from word lists, with a
random subset of features, so that no two requests are alike. SimpleStories (Finke et al. 2025, arXiv 2504.09184) shows that style, theme and the
beginning have to be varied too, or most stories start alike. A request depends on nothing but the plan and its number.
"""

import hashlib
import json
import random
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tavu.errors import TavuError
from tavu.synthesis.words import WordLists

FEATURES = {
    "Dialogue": "the text contains at least one dialogue, with quotation marks",
    "Conflict": "there is some form of conflict",
    "MoralValue": "there is a moral value",
    "Twist": "something unexpected happens (a plot twist)",
    "BadEnding": "it has a bad ending",
    "Foreshadowing": "it uses foreshadowing or setup and payoff",
}
"""The features of TinyStories-Instruct, and what each asks for."""
MOST_FEATURES = 3
STYLES = (
    "calm and warm",
    "funny",
    "adventurous",
    "like a fairy tale",
    "like a fable with animals",
    "everyday life at home",
    "a little mysterious",
    "gentle, for bedtime",
    "full of action",
    "sad at first and hopeful at the end",
    "playful, with sounds and repetition",
    "dreamy",
    "about making or repairing something",
    "about weather and seasons",
    "about work and grown-ups",
    "about school and friends",
    "told by one of the characters",
    "about something very small",
)
BEGINNINGS = (
    "with what somebody says",
    "with the place",
    "with the weather or the time of day",
    "in the middle of what happens",
    "with a sound or a smell",
    "with a person and what they like",
    "with a question",
    "with a thing and where it was found",
    "the way stories of this kind usually begin",
)
STORY = "a short story (3 to 5 short paragraphs) which only uses very simple words that a 3 year old child would likely understand"
ONLY_TEXT = "Answer with the text alone: no title, no introduction, no remarks."


@dataclass(frozen=True)
class Subject:
    """Another kind of text than children's stories: what is wanted, and topics of which each request draws one."""

    text: str
    topics: tuple[str, ...]
    styles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """All that determines the requests."""

    language: str
    """Its English name."""
    words: WordLists | None
    subject: Subject | None = None
    seed: int = 0

    def digest(self) -> str:
        """A hash of everything that requests depend on."""
        return hashlib.blake2b(json.dumps([asdict(self), FEATURES, STYLES, BEGINNINGS, STORY]).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Draw:
    """What one request asks for."""

    number: int
    words: tuple[str, ...]
    features: tuple[str, ...]
    style: str
    beginning: str
    topic: str = ""

    def row(self, text: str) -> dict[str, Any]:
        """The text as a record for `tavu train --records`; without that option, the text alone is read."""
        asked: dict[str, Any] = {"words": list(self.words), "features": list(self.features), "summary": self.topic}
        return {"text": text} | {field: value for field, value in asked.items() if value} | {"style": self.style, "number": self.number}


def draw(plan: Plan, number: int) -> Draw:
    """The request of this number, always the same for the same plan."""
    rng = random.Random(f"{plan.seed} {number}")
    lists = plan.words
    words = tuple(word for words in lists.lists.values() for word in rng.sample(words, lists.per_list)) if lists else ()
    if plan.subject:
        styles = plan.subject.styles or ("",)
        return Draw(number, words, (), rng.choice(styles), rng.choice(BEGINNINGS), rng.choice(plan.subject.topics))
    features = rng.sample(tuple(FEATURES), rng.randint(0, MOST_FEATURES))
    return Draw(number, words, tuple(features), rng.choice(STYLES), rng.choice(BEGINNINGS))


def prompt(plan: Plan, drawn: Draw) -> str:
    """A request as the large model reads it. It is in English, which every large model follows best, whatever language the text is to have."""
    lines = [f"Write {plan.subject.text if plan.subject else STORY}. Write in {plan.language}."]
    if drawn.topic:
        lines.append(f"The topic: {drawn.topic}.")
    if drawn.words:
        kinds = tuple(plan.words.lists) if plan.words and len(plan.words.lists) > 1 else ("words",) * len(drawn.words)
        named = [f'the {kind[:-1]} "{word}"' for kind, word in zip(kinds, drawn.words, strict=True)]
        lines.append(f"It must use {', '.join(named[:-1])} and {named[-1]}.")
    if drawn.features:
        lines.append(f"It should have the following features: {'; '.join(FEATURES[feature] for feature in drawn.features)}.")
    if drawn.style:
        lines.append(f"The style: {drawn.style}.")
    lines.append(f"Begin {drawn.beginning}.")
    if plan.subject is None:
        lines.append("Remember to only use simple words.")
    return "\n".join([*lines, ONLY_TEXT])


def read_subject(path: Path) -> Subject:
    """The subject described in a .toml file: `text`, what is wanted, `topics`, a list, and if you like `styles`, a list."""
    expected = 'Expected text = "a short weather report", topics = ["frost", "a storm"], and if you like styles = ["brief"].'
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TavuError(f"{path} cannot be read as a subject: {error}. {expected}") from None
    for key, value in values.items():
        is_right = isinstance(value, str) if key == "text" else isinstance(value, list) and all(isinstance(item, str) for item in value)
        if key not in ("text", "topics", "styles") or not is_right or not value:
            raise TavuError(f"{path}: {key} is unknown, empty, or of the wrong type. {expected}")
    if missing := {"text", "topics"} - values.keys():
        raise TavuError(f"{path} has no {' and no '.join(sorted(missing))}. {expected}")
    return Subject(values["text"].strip().rstrip("."), tuple(values["topics"]), tuple(values.get("styles", ())))
