"""What a story is to have, as it is asked for on the command line."""

import difflib
from collections.abc import Mapping
from typing import Any

from tavu.config import INSIST, check
from tavu.data.records import Request, listed
from tavu.errors import TavuError


def read_request(asked: Mapping[str, str], best_of: int, force_words: bool) -> Request | None:
    """The request of some options by their names; None where there are none. Raises TavuError for one that is empty, or words forced of none."""
    check(best_of >= 1, "best_of", best_of, "1 or more.")
    values: dict[str, Any] = {}
    for field, text in asked.items():
        values[field] = listed(text) if field in ("words", "features") else text.strip()
        if not values[field]:
            example = {"words": "--words quit,oak,gloomy", "features": "--features Dialogue"}.get(field, f'--{field} "Tom finds a key."')
            raise TavuError(f"--{field} is {text!r}, expected something, as in {example}. Or leave it out.")
    if best_of > 1 and not values:
        raise TavuError("--best-of chooses by what was asked for, and nothing was. Name --words, --features, --summary or --sentence.")
    if force_words and "words" not in values:
        raise TavuError("--force-words puts words in, and there are none. Name them, as in --words quit,oak,gloomy.")
    return Request(**values) if values else None


def insistence(insist: float | None, request: Request | None) -> float:
    """SamplingConfig.insist for --insist. Raises TavuError when there is nothing to insist on."""
    if insist is not None and request is None:
        raise TavuError("--insist presses what was asked for, and nothing was. Name --words, --features, --summary or --sentence.")
    return (INSIST if request else 1.0) if insist is None else insist


def refuse_unknown_features(request: Request | None, facts: Mapping[str, Any]) -> None:
    """Raise TavuError for a feature that a model has never met, where it is known which it has."""
    known = facts.get("features") or []
    for feature in request.features if request else ():
        if known and feature not in known:
            near = difflib.get_close_matches(feature, known, n=1, cutoff=0.5)
            advice = f"Did you mean {near[0]}?" if near else f"It knows: {', '.join(known)}."
            raise TavuError(f"The model has never met the feature {feature!r}, so asking for it would change nothing. {advice}")
