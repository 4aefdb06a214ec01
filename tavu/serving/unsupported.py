"""Fields of OpenAI's API that are not supported: values without effect are accepted, all others are refused by name."""

import difflib
from collections.abc import Iterable
from typing import Any

IGNORED = {"user", "store", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier"} | {
    *("parallel_tool_calls", "prediction", "reasoning_effort", "verbosity", "include_obfuscation")
}
"""Fields that do not affect the text. They are accepted and ignored, whatever their value."""
_NO_TOOLS, _NO_PENALTY = "this model cannot call tools", "only 0 is supported; use repetition_penalty, from 1 to 2, instead"
UNSUPPORTED: dict[str, tuple[tuple[Any, ...], str]] = {
    "tools": ((), _NO_TOOLS),
    "tool_choice": (("none", "auto"), _NO_TOOLS),
    "functions": ((), _NO_TOOLS),
    "function_call": (("none", "auto"), _NO_TOOLS),
    "response_format": (({"type": "text"},), "this model writes plain text only"),
    "modalities": ((["text"],), "this model writes text only"),
    "audio": ((), "this model writes text only"),
    "web_search_options": ((), "this server cannot search the web"),
    "logit_bias": ((), "the bias of single bytes cannot be set"),
    "suffix": ((), "this model can only continue a prompt, not fill a gap"),
    "best_of": ((1,), "this server returns every text that it generates; request several with n, and choose"),
    "frequency_penalty": ((0,), _NO_PENALTY),
    "presence_penalty": ((0,), _NO_PENALTY),
    "echo": ((), "only /v1/completions can echo a prompt"),
}
"""For each field: the values without effect (besides null, false and empty ones), and why others are refused."""


def has_no_effect(name: str, value: Any) -> bool:
    """Whether an unsupported field has no effect, so that it can be ignored.

    >>> has_no_effect("tools", []), has_no_effect("best_of", 1), has_no_effect("best_of", 3)
    (True, True, False)
    """
    if value is None or value is False or value in ("", [], {}):
        return name != "web_search_options" or value != {}  # {} asks for a search without options
    return name in IGNORED or value in UNSUPPORTED.get(name, ((),))[0]


def refusal_reason(name: str, supported: Iterable[str]) -> str:
    """The error message for an unsupported field."""
    if name in UNSUPPORTED:
        return f"{UNSUPPORTED[name][1]}. Omit this field."
    near = difflib.get_close_matches(name, supported, n=1, cutoff=0.75)
    return f"this server does not know this field. {f'Did you mean {near[0]}?' if near else '/docs lists all fields.'}"
