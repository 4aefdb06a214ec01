"""The output of --json."""

import json
import math
from collections.abc import Mapping
from typing import Any


def print_json_line(result: Mapping[str, Any]) -> None:
    """Print one line of strict JSON in ASCII; NaN and infinity (the standard error of one document) become null."""
    print(json.dumps(_strict(result), allow_nan=False))


def _strict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _strict(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
