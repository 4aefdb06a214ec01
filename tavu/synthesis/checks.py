"""Whether a written text is kept, and if not, why.

Near-duplicates are found by MinHash with locality-sensitive hashing (Broder 1997; datasketch) over sequences of letters, which exist in every script.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tavu.data.records import Request
from tavu.errors import TavuError
from tavu.evaluation.obedience import obedience
from tavu.evaluation.text_measures import repetition, words_in_order
from tavu.synthesis.languages import Profile
from tavu.synthesis.prompts import Draw

if TYPE_CHECKING:
    from datasketch import MinHash

MOST_REPETITION, REFUSED_WITHIN = 0.3, 300
"""The largest share of 4-grams that occurred before, and the number of characters in which a refusal is looked for."""
SAME_SHARE = 0.5
"""Texts that share at least this fraction of their letter sequences (Jaccard) are near-duplicates. Texts about the same subject share less."""
SHINGLE, NUM_PERMUTATIONS = 8, 128
_THOUGHT = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
_REFUSAL = re.compile(
    r"\b(as an ai\b|i(?:'m| am) an ai\b|i(?:'m| am) sorry,? but i\b"
    r"|i (?:can't|cannot|can not|am unable to|'m unable to) (?:assist|help|fulfill|write|create))",
    re.IGNORECASE,
)
_PREAMBLE = re.compile(
    r"\W*(?:sure|certainly|of course|absolutely|here(?:'s| is| are))\b[^\n]*[:!.]\W*(?:\n|$)|#|\*\*|```|\[|(?:title|story):|[^\n]*:\W*(?:\n|$)",
    re.IGNORECASE,
)
_REMARK = re.compile(r"(note:|this (story|text)\b|the moral|i hope\b|let me know|would you like|\*\*|---)", re.IGNORECASE)


@dataclass(frozen=True)
class Limits:
    """The length of texts that are kept, in UTF-8 bytes."""

    min_bytes: int
    max_bytes: int


def cleaned(answer: str) -> str:
    """An answer without white space around it, and without the thoughts that some models write before it."""
    return _THOUGHT.sub("", answer.replace("\r\n", "\n")).strip()


def reason_to_reject(text: str, drawn: Draw, limits: Limits, profile: Profile | None) -> str | None:
    """Why a text is not kept, in a few words; None if it is kept. Near-duplicates are judged by Seen."""
    size = len(text.encode(errors="replace"))
    checks: dict[str, Callable[[], bool]] = {
        "empty": lambda: not text,
        "damaged characters": lambda: "\ufffd" in text or "<|" in text or any("\ud800" <= character <= "\udfff" for character in text),
        "refusal": lambda: bool(_REFUSAL.search(text[:REFUSED_WITHIN])),
        "preamble or title": lambda: bool(_PREAMBLE.match(text)),
        "remark at the end": lambda: "\n" in text and bool(_REMARK.match(text.rsplit("\n", 1)[1])),
        "too short": lambda: size < limits.min_bytes,
        "too long": lambda: size > limits.max_bytes,
        "another language": lambda: profile is not None and not profile.fits(text),
        "a word is missing": lambda: not all(obedience(Request(words=drawn.words), text).checks),
        "no dialogue": lambda: not all(obedience(Request(features=drawn.features), text).checks),
        "repeats itself": lambda: repetition(words_in_order(text)) > MOST_REPETITION,
    }
    return next((reason for reason, applies in checks.items() if applies()), None)


class Seen:
    """The texts kept so far, of which near-duplicates are found."""

    def __init__(self) -> None:
        try:
            from datasketch import MinHashLSH
        except ImportError:
            raise TavuError('Finding near-duplicates needs the datasketch library. Install it: pip install "tavu[synthesize]"') from None
        self._index = MinHashLSH(threshold=SAME_SHARE, num_perm=NUM_PERMUTATIONS)
        self._number = 0

    def has_like(self, text: str) -> bool:
        """Whether a text that was added is nearly the same."""
        return bool(self._index.query(_signature(text)))

    def add(self, text: str) -> None:
        """Add a text that is kept."""
        self._index.insert(self._number, _signature(text))
        self._number += 1


def _signature(text: str) -> "MinHash":
    from datasketch import MinHash

    letters = " ".join(words_in_order(text))
    shingles = {letters[i : i + SHINGLE].encode() for i in range(max(1, len(letters) - SHINGLE + 1))}
    signature = MinHash(num_perm=NUM_PERMUTATIONS)
    signature.update_batch(sorted(shingles))
    return signature
