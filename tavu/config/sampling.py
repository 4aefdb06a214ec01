"""The sampling settings, and those of the samples at the milestones of a training run."""

import math
import numbers
from dataclasses import dataclass

from tavu.config.check import check
from tavu.errors import TavuError

INSIST, MAX_INSIST = 1.5, 10.0
"""The default of `insist` for stories to order, and its maximum."""


@dataclass(frozen=True)
class SamplingConfig:
    """How bytes are sampled and when generation stops. Raises TavuError for a value out of range."""

    temperature: float = 0.8
    """0 always takes the most likely byte."""
    top_k: int | None = None
    """Keep the k most likely ids; of equally likely ones, the lower ids."""
    top_p: float | None = None
    """Keep the smallest set of most likely ids whose total probability is at least this."""
    min_p: float | None = None
    """Keep ids with at least this fraction of the highest probability."""
    repetition_penalty: float = 1.0
    """Divide the probability of a byte that completes a repeat, once per earlier occurrence: see RepetitionTracker. 1 is off."""
    max_bytes: int = 2048
    """Maximum length of the text."""
    seed: int = 0
    """The same seed gives the same text."""
    stop: tuple[str, ...] = ()
    """Stop before the first occurrence of any of these."""
    valid_utf8: bool = True
    """Sample only bytes that keep the text valid UTF-8."""
    used_bytes: frozenset[int] | None = None
    """With valid_utf8: sample only these bytes (those of the training text), unless none of them is valid next. None: all."""
    insist: float = 1.0
    """How strongly a model of records favors requested words that are still missing: 1 as learned, 0 not at all. See Pointer.expect."""

    def __post_init__(self) -> None:
        for name in ("temperature", "top_p", "min_p", "repetition_penalty", "insist"):
            _check_kind(name, getattr(self, name), numbers.Real, "a number")
        for name in ("top_k", "max_bytes", "seed"):
            _check_kind(name, getattr(self, name), numbers.Integral, "a whole number")
        self._check_ranges()

    def _check_ranges(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise TavuError(f"temperature is {self.temperature}, expected 0 (always the likeliest byte) or more. Try 0.8.")
        if self.top_k is not None and not self.top_k >= 1:
            raise TavuError(f"top_k is {self.top_k}, expected 1 or more. Leave it out to keep every byte.")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise TavuError(f"top_p is {self.top_p}, expected above 0 and up to 1. Try 0.95, or leave it out.")
        if self.min_p is not None and not 0 <= self.min_p < 1:
            raise TavuError(f"min_p is {self.min_p}, expected from 0 to below 1. Try 0.05, or leave it out.")
        if not 0 <= self.insist <= MAX_INSIST:
            raise TavuError(f"insist is {self.insist}, expected 0 (not at all) to {MAX_INSIST:g}. Try {INSIST:g}.")
        if not (math.isfinite(self.repetition_penalty) and self.repetition_penalty >= 1):
            raise TavuError(f"repetition_penalty is {self.repetition_penalty}, expected 1 (off) or more. Try 1.2.")
        if not self.max_bytes >= 1:
            raise TavuError(f"max_bytes is {self.max_bytes}, expected 1 or more. Try 2048.")
        if not self.seed >= 0:
            raise TavuError(f"seed is {self.seed}, expected 0 or more.")
        if isinstance(self.stop, str):
            raise TavuError(f"stop is the string {self.stop!r}, expected a tuple of strings. Try ({self.stop!r},).")
        for text in self.stop:
            if not text:
                raise TavuError("stop has an empty string, expected at least one character in each. Leave it out.")
            if any(0xD800 <= ord(character) <= 0xDFFF for character in text):
                raise TavuError(f"stop has {text!r}, which UTF-8 cannot encode, expected text without lone surrogates.")


def _check_kind(name: str, value: object, kind: type, expected: str) -> None:
    """Python callers may pass anything. Raises TavuError unless value is of this kind of number, or None where that is a default."""
    may_be_none = getattr(SamplingConfig, name) is None
    if not (may_be_none and value is None) and (not isinstance(value, kind) or isinstance(value, bool)):
        raise TavuError(f"{name} is {value!r}, expected {expected}.")


@dataclass(frozen=True)
class ProgressConfig:
    """The samples that are generated at each milestone."""

    prompts: tuple[str, ...] = ()
    """Prompts of the samples. Default: an empty prompt, and the most common opening words of the validation documents."""
    max_bytes: int = 400
    """Maximum length of a sample."""
    temperature: float = 0.8
    """Sampling temperature."""

    def __post_init__(self) -> None:
        check(self.max_bytes >= 1, "sample.max_bytes", self.max_bytes, "1 or more.")
        check(0 <= self.temperature < math.inf, "sample.temperature", self.temperature, "0 (greedy) or more.")
