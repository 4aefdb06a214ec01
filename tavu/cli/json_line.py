"""What --json prints."""

import json
import math
from collections.abc import Mapping
from typing import Any


def print_json_line(answer: Mapping[str, Any]) -> None:
    """One line of strict JSON in ASCII, which every console and parser takes; what is not a number (the standard error of one document) is null."""
    print(json.dumps(_strict(answer), allow_nan=False))


def _strict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _strict(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
