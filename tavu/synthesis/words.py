"""The words that requests ask for: English lists that come with tavu, a file, or content words found in the user's own text.

Content words are found without a tagger. Function words (the, and, of) are spread evenly over a text; content words come in bursts, because a text
that mentions an oak once will probably mention it again. Residual IDF measures this (Church and Gale 1995, "Inverse Document Frequency (IDF): A
Measure of Deviations from Poisson"). Names come in bursts too. They are recognized by their capital letter within sentences, unless the language
capitalizes every noun, as German does. In a language without spaces between words nothing can be counted: give a file.
"""

import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tavu.errors import TavuError

KINDS = ("verbs", "nouns", "adjectives", "words")
WORDS_PER_REQUEST = 3
PASSAGE_WORDS, MIN_PASSAGES, MAX_PASSAGE_SHARE = 150, 4, 0.08
"""A word must occur in so many passages, of so many words each, and in no more than this share of all: pronouns come in bursts too."""
MIN_LETTERS, MAX_LETTERS = 3, 20
MOST_FREQUENT, KEPT_SHARE = 4000, 0.5
"""Only this many of the most frequent words are considered, and this share of them is kept: those with the highest residual IDF."""
NAME_SHARE, NOUN_CAPITALS = 0.5, 0.25
"""A word is a name if it is capitalized this often within sentences. If this share of all words is, the language capitalizes its nouns."""
FEWEST = 30
_TOKEN = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|[.!?…:\"“”„«»—–\n]")


@dataclass(frozen=True)
class WordLists:
    """Lists of words, by kind. A request draws one of each kind; three different ones if there is only one list."""

    lists: dict[str, tuple[str, ...]]

    @property
    def per_list(self) -> int:
        return WORDS_PER_REQUEST if len(self.lists) == 1 else 1


def english() -> WordLists:
    """The English verbs, nouns and adjectives that come with tavu."""
    return from_file(Path(__file__).with_name("english.toml"))


def from_file(path: Path) -> WordLists:
    """The words of a file: a .toml with verbs, nouns and adjectives (each a text or a list), or any other with one word a line."""
    try:
        content = path.read_text(encoding="utf-8")
        values = tomllib.loads(content) if path.suffix.lower() == ".toml" else {"words": [line for line in content.splitlines() if line.strip()]}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TavuError(f"{path} cannot be read as word lists: {error}. Give a text file with one word a line, or a .toml file.") from None
    lists: dict[str, tuple[str, ...]] = {}
    for kind, value in values.items():
        words = value.split() if isinstance(value, str) else value
        if kind not in KINDS or not isinstance(words, list) or not all(isinstance(word, str) and word.strip() for word in words):
            raise TavuError(f"{path}: {kind} is not a list of words. Expected lists called {', '.join(KINDS)}.")
        lists[kind] = tuple(dict.fromkeys(word.strip() for word in words))
    if not lists or min(map(len, lists.values())) < WORDS_PER_REQUEST:
        raise TavuError(f"{path} has a list of fewer than {WORDS_PER_REQUEST} words. Give more: their combinations are what makes texts differ.")
    return WordLists(lists)


def content_words(documents: Iterable[str]) -> tuple[str, ...]:
    """The content words of a text, the most frequent first. May be empty."""
    within, capitals, passages_of, total = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    num_passages = 0
    for document in documents:
        tokens = _TOKEN.findall(document)
        starts_sentence, words = True, []
        for token in tokens:
            if not token[0].isalpha():
                starts_sentence = True
                continue
            word = token.lower()
            words.append(word)
            if not starts_sentence:
                within[word] += 1
                capitals[word] += token[0].isupper()
            starts_sentence = False
        for i in range(0, len(words), PASSAGE_WORDS):
            counted = Counter(words[i : i + PASSAGE_WORDS])
            total.update(counted)
            passages_of.update(counted.keys())
            num_passages += 1
    most = max(MIN_PASSAGES, MAX_PASSAGE_SHARE * num_passages)
    frequent = [word for word, _ in total.most_common(MOST_FREQUENT) if MIN_PASSAGES <= passages_of[word] <= most]
    frequent = [word for word in frequent if MIN_LETTERS <= len(word) <= MAX_LETTERS]
    names = {word for word in frequent if capitals[word] > NAME_SHARE * within[word] or not within[word]}
    if len(names) < NOUN_CAPITALS * len(frequent):
        frequent = [word for word in frequent if word not in names]

    def residual_idf(word: str) -> float:
        """The observed IDF minus that of a Poisson distribution with the same mean, in bits."""
        expected = 1 - math.exp(-total[word] / num_passages)
        return math.log2(expected * num_passages / passages_of[word])

    best = set(sorted(frequent, key=residual_idf, reverse=True)[: math.ceil(KEPT_SHARE * len(frequent))])
    return tuple(word for word in frequent if word in best)


def from_text(documents: Iterable[str], name: str) -> WordLists:
    """One list: the content words of a text, in lower case."""
    words = content_words(documents)
    if len(words) < FEWEST:
        advice = "Give more text, or a list of words with --words FILE (needed for languages without spaces between words)."
        raise TavuError(f"{name} has only {len(words)} words that occur often enough to ask for, expected at least {FEWEST}. {advice}")
    return WordLists({"words": words})
