"""Plain stories -> records (records.py) where nobody has written requests: words, a sentence, and features that a rule can see.

For any language, without a tagger: a word is fit to be asked for when it stands in few enough stories to say something of its own, in enough of them
to be learned, and mostly in small letters, as names are not. What is derived is always true of its story; a summary is only there where the source
has one. All choices are drawn from the story itself, so that they do not change when other stories come and go.
"""

import hashlib
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

NUM_WORDS = 3
COMMON_SHARE = 0.1
"""A word in more than this share of all stories is too common to be asked for."""
MIN_STORIES = 3
"""A word in fewer stories is too rare to be learned."""
MIN_LETTERS = 3
SENTENCE_BYTES = (20, 150)
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SENTENCE_END = re.compile(r'(?<=[.!?…。！？])["”»’]?\s+|\n+')


@dataclass(frozen=True)
class WordCounts:
    """In how many stories each word stands, without case, and in how many of them in small letters."""

    num_stories: int
    stories: Mapping[str, int]
    small: Mapping[str, int]

    def is_fit(self, word: str) -> bool:
        """Whether a word (casefolded) is one to ask for."""
        count = self.stories.get(word, 0)
        most = max(MIN_STORIES, COMMON_SHARE * self.num_stories)
        return len(word) >= MIN_LETTERS and MIN_STORIES <= count <= most and self.small.get(word, 0) >= 0.9 * count


def count_words(stories: Iterable[str]) -> WordCounts:
    """The counts that `derive` needs, of all stories."""
    num_stories, counts, small = 0, Counter[str](), Counter[str]()
    for story in stories:
        num_stories += 1
        words = set(_WORD.findall(story))
        counts.update({word.casefold() for word in words})
        small.update({word for word in words if word == word.casefold()})
    return WordCounts(num_stories, counts, small)


def derive(story: str, counts: WordCounts, has_dialogue: bool, variant: int = 0) -> dict[str, object]:
    """One row of records: the story and what may be asked of it, labelled as derived. Each variant asks for other words and another sentence."""
    key = story if variant == 0 else f"{variant} {story}"
    dice = random.Random(hashlib.blake2b(key.encode(), digest_size=8).hexdigest())
    fit = sorted({word for word in _WORD.findall(story) if word == word.casefold() and counts.is_fit(word)})
    words = dice.sample(fit, min(NUM_WORDS, len(fit)))
    sentences = [sentence for sentence in sentences_of(story) if SENTENCE_BYTES[0] <= len(sentence.encode()) <= SENTENCE_BYTES[1]]
    row: dict[str, object] = {"words": words, "features": ["Dialogue"] if has_dialogue else []}
    if sentences:
        row["sentence"] = dice.choice(sentences)
    return {**{key: value for key, value in row.items() if value}, "story": story, "derived": True}


def end_of_sentence(text: str) -> int | None:
    """Where the first sentence of a text ends, with the space after it; None where it does not."""
    found = _SENTENCE_END.search(text)
    return found.end() if found else None


def sentences_of(story: str) -> Iterator[str]:
    """The sentences of a story as they stand in it, cut after their end marks and at line ends.

    >>> list(sentences_of('Tom ran. "Stop!" he said.'))
    ['Tom ran.', '"Stop!"', 'he said.']
    """
    begin = 0
    for end in _SENTENCE_END.finditer(story):
        yield story[begin : end.end()].strip()
        begin = end.end()
    if story[begin:].strip():
        yield story[begin:].strip()
