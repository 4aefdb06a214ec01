"""The request options of `tavu generate`: words, features, summary, sentence, and how to follow them."""

import difflib
from collections.abc import Mapping
from typing import Any

from tavu.config import INSIST, check
from tavu.data.records import Request, listed
from tavu.errors import TavuError
from tavu.evaluation.obedience import TRIES


def read_request(options: Mapping[str, str], tries: int | None, best_of: int, force_words: bool) -> Request | None:
    """The request from the options by name; None if none is given. Raises TavuError for an empty option, or one that needs another."""
    check(best_of >= 1, "best_of", best_of, "1 or more.")
    check(tries is None or tries >= 1, "tries", tries, "1 or more.")
    values: dict[str, Any] = {}
    for field, text in options.items():
        values[field] = listed(text) if field in ("words", "features") else text.strip()
        if not values[field]:
            example = {"words": "--words quit,oak,gloomy", "features": "--features Dialogue"}.get(field, f'--{field} "Tom finds a key."')
            raise TavuError(f"--{field} is {text!r}, expected some text, as in {example}. Or omit it.")
    for option, number in (("best-of", best_of), ("tries", tries or 1)):
        if number > 1 and not values:
            raise TavuError(f"--{option} chooses by the request, but there is none. Add --words, --features, --summary or --sentence.")
    if best_of > 1 and (tries or 1) > 1:
        raise TavuError(
            f"--best-of {best_of} always writes {best_of} stories, but --tries {tries} stops at the first complete one. Give one of them."
        )
    if force_words and "words" not in values:
        raise TavuError("--force-words needs words, but there are none. Add them, as in --words quit,oak,gloomy.")
    return Request(**values) if values else None


def insist_for(insist: float | None, request: Request | None) -> float:
    """SamplingConfig.insist for --insist. Raises TavuError if there is no request."""
    if insist is not None and request is None:
        raise TavuError("--insist favors the request, but there is none. Add --words, --features, --summary or --sentence.")
    return (INSIST if request else 1.0) if insist is None else insist


def tries_for(tries: int | None, request: Request | None, best_of: int, engine: str) -> int:
    """Maximum number of tries, for --tries. By default several with the native engine, where they take little time."""
    if tries is None:
        return TRIES if request is not None and best_of == 1 and engine == "native" else 1
    return tries


def refuse_unknown_features(request: Request | None, facts: Mapping[str, Any]) -> None:
    """Raise TavuError for a feature that the model was not trained on, if its features are known."""
    known = facts.get("features") or []
    for feature in request.features if request else ():
        if known and feature not in known:
            near = difflib.get_close_matches(feature, known, n=1, cutoff=0.5)
            advice = f"Did you mean {near[0]}?" if near else f"It knows: {', '.join(known)}."
            raise TavuError(f"The model was not trained on the feature {feature!r}, so requesting it would have no effect. {advice}")
