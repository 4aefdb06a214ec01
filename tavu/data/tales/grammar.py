"""Grammar that is applied after rendering: a or an, and spaces.

Everything else is in the data: people have their pronouns (lexicon.py), things are singular unless the plot says otherwise.
"""

import re

# A word's first sound decides, not its first letter: an hour, a unicorn, a one-eyed cat.
_A_BEFORE_VOWEL_SOUND = re.compile(r"\b([Aa]) (?=(?!one\b|once\b|one-|uni|use|usual|eu)[aeiouAEIOU]|hour\b|honest)")


def with_articles(text: str) -> str:
    """The text with "a" made "an" where a vowel sound follows.

    >>> with_articles("A old owl sat for a hour on a big oak beside a unicorn.")
    'An old owl sat for an hour on a big oak beside a unicorn.'
    """
    return _A_BEFORE_VOWEL_SOUND.sub(r"\1n ", text)


def with_single_spaces(text: str, *, between_paragraphs: str = "\n\n") -> str:
    """The text with one space between words and `between_paragraphs` between paragraphs.

    >>> with_single_spaces(" One day,  it   rained. \\n\\n Then it stopped. ")
    'One day, it rained.\\n\\nThen it stopped.'
    """
    return between_paragraphs.join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
