"""The language of a text: its English name for a prompt, and a check against text that is known to be in it.

The check needs no model and works in any language and script, also those that no library of language identification knows: among the three-letter
sequences of a text, the share that is common in the known text (a profile as in Cavnar and Trenkle 1994, "N-Gram-Based Text Categorization"). It
tells unrelated languages apart; close relatives, such as Estonian and Finnish, it may confuse.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

# fmt: off
NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech", "cy": "Welsh", "da": "Danish", "de": "German",
    "el": "Greek", "en": "English", "eo": "Esperanto", "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian", "fi": "Finnish",
    "fo": "Faroese", "fr": "French", "fy": "Frisian", "ga": "Irish", "gl": "Galician", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian",
    "hu": "Hungarian", "id": "Indonesian", "is": "Icelandic", "it": "Italian", "ja": "Japanese", "ka": "Georgian", "ko": "Korean",
    "la": "Latin", "lt": "Lithuanian", "lv": "Latvian", "mk": "Macedonian", "mt": "Maltese", "nb": "Norwegian", "nl": "Dutch", "nn": "Nynorsk",
    "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian",
    "sq": "Albanian", "sr": "Serbian", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "th": "Thai", "tl": "Tagalog", "tr": "Turkish",
    "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese", "yi": "Yiddish", "zh": "Chinese",
}
# fmt: on
NUM_COMMON, PROFILE_DOCUMENTS = 300, 2000
LEAST_OF_USUAL = 0.6
"""A text is in the language if it has at least this fraction of the usual share of common sequences."""


def language_name(language: str) -> str:
    """The English name of a language given by its ISO 639-1 code. Anything else is taken for a name.

    >>> language_name("fi"), language_name("Karelian")
    ('Finnish', 'Karelian')
    """
    return NAMES.get(language.lower(), language)


@dataclass(frozen=True)
class Profile:
    """The common three-letter sequences of a language, and their usual share in its texts."""

    common: frozenset[str]
    usual_share: float

    def share(self, text: str) -> float:
        """The share of the text's sequences that are common in the language."""
        sequences = _sequences(text)
        return sum(sequence in self.common for sequence in sequences) / len(sequences) if sequences else 0.0

    def fits(self, text: str) -> bool:
        """Whether a text seems to be in the language."""
        return self.share(text) >= LEAST_OF_USUAL * self.usual_share


def profile_of(documents: Iterable[str]) -> Profile:
    """The profile of a language from documents in it, of which the first few thousand are enough."""
    counts = Counter[str]()
    for document in islice(documents, PROFILE_DOCUMENTS):
        counts.update(_sequences(document))
    common = counts.most_common(NUM_COMMON)
    return Profile(frozenset(sequence for sequence, _ in common), sum(count for _, count in common) / max(1, counts.total()))


def _sequences(text: str) -> list[str]:
    spaced = f" {' '.join(text.lower().split())} "
    return [spaced[i : i + 3] for i in range(len(spaced) - 2)]
