"""What a story is to have, as it is asked for on the command line."""

import difflib
from collections.abc import Mapping
from typing import Any

from tavu.config import INSIST, check
from tavu.data.records import Request, listed
from tavu.errors import TavuError
from tavu.evaluation.obedience import TRIES


def read_request(asked: Mapping[str, str], tries: int | None, best_of: int, force_words: bool) -> Request | None:
    """The request of some options by their names; None where there are none. Raises TavuError for one that is empty, or of no use without another."""
    check(best_of >= 1, "best_of", best_of, "1 or more.")
    check(tries is None or tries >= 1, "tries", tries, "1 or more.")
    values: dict[str, Any] = {}
    for field, text in asked.items():
        values[field] = listed(text) if field in ("words", "features") else text.strip()
        if not values[field]:
            example = {"words": "--words quit,oak,gloomy", "features": "--features Dialogue"}.get(field, f'--{field} "Tom finds a key."')
            raise TavuError(f"--{field} is {text!r}, expected something, as in {example}. Or leave it out.")
    for option, number in (("best-of", best_of), ("tries", tries or 1)):
        if number > 1 and not values:
            raise TavuError(f"--{option} chooses by what was asked for, and nothing was. Name --words, --features, --summary or --sentence.")
    if best_of > 1 and (tries or 1) > 1:
        raise TavuError(f"--best-of {best_of} writes so many in any case, and --tries {tries} stops at the first that has all. Give one of them.")
    if force_words and "words" not in values:
        raise TavuError("--force-words puts words in, and there are none. Name them, as in --words quit,oak,gloomy.")
    return Request(**values) if values else None


def insistence(insist: float | None, request: Request | None) -> float:
    """SamplingConfig.insist for --insist. Raises TavuError when there is nothing to insist on."""
    if insist is not None and request is None:
        raise TavuError("--insist presses what was asked for, and nothing was. Name --words, --features, --summary or --sentence.")
    return (INSIST if request else 1.0) if insist is None else insist


def tries_for(tries: int | None, request: Request | None, best_of: int, engine: str) -> int:
    """How often a story is written at most, for --tries; several times unasked where that takes no time to speak of."""
    if tries is None:
        return TRIES if request is not None and best_of == 1 and engine == "native" else 1
    return tries


def refuse_unknown_features(request: Request | None, facts: Mapping[str, Any]) -> None:
    """Raise TavuError for a feature that a model has never met, where it is known which it has."""
    known = facts.get("features") or []
    for feature in request.features if request else ():
        if known and feature not in known:
            near = difflib.get_close_matches(feature, known, n=1, cutoff=0.5)
            advice = f"Did you mean {near[0]}?" if near else f"It knows: {', '.join(known)}."
            raise TavuError(f"The model has never met the feature {feature!r}, so asking for it would change nothing. {advice}")
