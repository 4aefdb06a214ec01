"""Plain stories -> records (records.py), with requests derived by rule: words, a sentence, and whether there is dialogue.

Works for any language, without a tagger. A word can be requested if it occurs in few enough stories to be specific, in enough stories to be learned,
and mostly in lower case, unlike names. Derived fields are always true of their story. Summaries are not derived. The random choices are seeded
by the story alone, so they do not change when other stories are added or removed.
"""

import hashlib
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

NUM_WORDS = 3
COMMON_SHARE = 0.1
"""A word in more than this share of all stories is too common to be requested."""
MIN_STORIES = 3
"""A word in fewer stories is too rare to be learned."""
MIN_LETTERS = 3
SENTENCE_BYTES = (20, 150)
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SENTENCE_END = re.compile(r'(?<=[.!?…。！？])["”»’]?\s+|\n+')


@dataclass(frozen=True)
class WordCounts:
    """In how many stories each word occurs, ignoring case, and in how many of them in lower case."""

    num_stories: int
    stories: Mapping[str, int]
    small: Mapping[str, int]

    def is_fit(self, word: str) -> bool:
        """Whether a word (casefolded) can be requested."""
        count = self.stories.get(word, 0)
        most = max(MIN_STORIES, COMMON_SHARE * self.num_stories)
        return len(word) >= MIN_LETTERS and MIN_STORIES <= count <= most and self.small.get(word, 0) >= 0.9 * count


def count_words(stories: Iterable[str]) -> WordCounts:
    """The word counts over all stories, which `derive` needs."""
    num_stories, counts, small = 0, Counter[str](), Counter[str]()
    for story in stories:
        num_stories += 1
        words = set(_WORD.findall(story))
        counts.update({word.casefold() for word in words})
        small.update({word for word in words if word == word.casefold()})
    return WordCounts(num_stories, counts, small)


def derive(story: str, counts: WordCounts, has_dialogue: bool, variant: int = 0) -> dict[str, object]:
    """One record as a row: the story and a request, marked as derived. Each variant requests other words and another sentence."""
    key = story if variant == 0 else f"{variant} {story}"
    rng = random.Random(hashlib.blake2b(key.encode(), digest_size=8).hexdigest())
    fit = sorted({word for word in _WORD.findall(story) if word == word.casefold() and counts.is_fit(word)})
    words = rng.sample(fit, min(NUM_WORDS, len(fit)))
    sentences = [sentence for sentence in sentences_of(story) if SENTENCE_BYTES[0] <= len(sentence.encode()) <= SENTENCE_BYTES[1]]
    row: dict[str, object] = {"words": words, "features": ["Dialogue"] if has_dialogue else []}
    if sentences:
        row["sentence"] = rng.choice(sentences)
    return {**{key: value for key, value in row.items() if value}, "story": story, "derived": True}


def end_of_sentence(text: str) -> int | None:
    """Where the first sentence of a text ends, including the space after it; None if it does not end."""
    found = _SENTENCE_END.search(text)
    return found.end() if found else None


def sentences_of(story: str) -> Iterator[str]:
    """The sentences of a story, unchanged, split after end marks and at newlines.

    >>> list(sentences_of('Tom ran. "Stop!" he said.'))
    ['Tom ran.', '"Stop!"', 'he said.']
    """
    begin = 0
    for end in _SENTENCE_END.finditer(story):
        yield story[begin : end.end()].strip()
        begin = end.end()
    if story[begin:].strip():
        yield story[begin:].strip()
