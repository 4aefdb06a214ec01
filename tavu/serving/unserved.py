"""Fields of OpenAI's API beyond those that are served: what asks for nothing is taken, what asks for something is refused by its name."""

import difflib
from collections.abc import Iterable
from typing import Any

IGNORED = {"user", "store", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier"} | {
    *("parallel_tool_calls", "prediction", "reasoning_effort", "verbosity", "include_obfuscation")
}
"""They change nothing of what is written: taken and forgotten, whatever they say."""
_NO_TOOLS, _NO_PENALTY = "this model calls no tools", "only 0 is taken; repetition_penalty, from 1 to 2, does what it is for"
UNSERVED: dict[str, tuple[tuple[Any, ...], str]] = {
    "tools": ((), _NO_TOOLS),
    "tool_choice": (("none", "auto"), _NO_TOOLS),
    "functions": ((), _NO_TOOLS),
    "function_call": (("none", "auto"), _NO_TOOLS),
    "response_format": (({"type": "text"},), "this model writes plain text, in no format that could be asked for"),
    "modalities": ((["text"],), "this model writes text only"),
    "audio": ((), "this model writes text only"),
    "web_search_options": ((), "this server searches nothing"),
    "logit_bias": ((), "single bytes cannot be favoured here"),
    "suffix": ((), "this model writes on from a prompt, not into a gap"),
    "best_of": ((1,), "this server gives every text that it writes; ask for them with n, and choose"),
    "frequency_penalty": ((0,), _NO_PENALTY),
    "presence_penalty": ((0,), _NO_PENALTY),
    "echo": ((), "only /v1/completions tells a prompt again"),
}
"""The values that do not ask for it, besides null, false and what is empty; and why it is not served."""


def asks_for_nothing(name: str, value: Any) -> bool:
    """Whether a field that is not served may be left out of a request without a change to the answer.

    >>> asks_for_nothing("tools", []), asks_for_nothing("best_of", 1), asks_for_nothing("best_of", 3)
    (True, True, False)
    """
    if value is None or value is False or value in ("", [], {}):
        return name != "web_search_options" or value != {}  # which asks for a search, with no options
    return name in IGNORED or value in UNSERVED.get(name, ((),))[0]


def why_refused(name: str, served: Iterable[str]) -> str:
    """What is said of a field that is not served and asks for something."""
    if name in UNSERVED:
        return f"{UNSERVED[name][1]}. Leave it out."
    near = difflib.get_close_matches(name, served, n=1, cutoff=0.75)
    return f"this server does not know this field. {f'Did you mean {near[0]}?' if near else '/docs lists those that it knows.'}"
