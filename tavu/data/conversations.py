"""Published conversation formats -> messages, each with a role of ROLES and a text.

Supported: OpenAI's `messages` (role and content; content may be a list of parts), ShareGPT's `conversations` (from and value), and the single
exchanges of Alpaca and Dolly (`instruction`, with `input` or `context`, and `output` or `response`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tavu.errors import TavuError

ROLE_OF = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "tool", "function", "observation"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "model"), "assistant"),
}
_LISTS = ("messages", "conversations", "conversation")


def messages_of(row: Mapping[str, Any]) -> list[dict[str, str]] | None:
    """The messages of a JSON row, or None if it is not a conversation. Raises TavuError for a malformed conversation.

    >>> messages_of({"conversations": [{"from": "human", "value": "Hi"}]}), messages_of({"story": "Once."})
    ([{'role': 'user', 'content': 'Hi'}], None)
    """
    name = next((name for name in _LISTS if row.get(name) is not None), None)
    if name is not None:
        turns = row[name]
        if not isinstance(turns, Sequence) or isinstance(turns, str) or not turns:
            raise TavuError(f"its {name} are {str(turns)[:40]!r}, expected a list of objects with role and content")
        return [_message(turn, f"its message {i}") for i, turn in enumerate(turns, 1)]
    answer = next((row[name] for name in ("output", "response") if name in row), None)
    if "instruction" not in row or answer is None:
        return None
    question = [_content(row.get(name), f"its field '{name}'").strip() for name in ("instruction", "input", "context")]
    system = _content(row.get("system"), "its field 'system'")
    messages = [("system", system)] if system.strip() else []
    messages += [("user", "\n\n".join(filter(None, question))), ("assistant", _content(answer, "its answer"))]
    return [{"role": role, "content": content} for role, content in messages]


def _message(turn: Any, where: str) -> dict[str, str]:
    role = (turn.get("role") or turn.get("from")) if isinstance(turn, Mapping) else None
    if not isinstance(role, str) or role.lower() not in ROLE_OF:
        raise TavuError(f"{where} is {str(turn)[:60]!r}, expected a role ({', '.join(ROLE_OF)}) and a content")
    return {"role": ROLE_OF[role.lower()], "content": _content(turn.get("content", turn.get("value")), where)}


def _content(content: Any, where: str) -> str:
    """The text, or the texts of its parts joined by newlines; "" for None."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        parts = [part.get("text") if isinstance(part, Mapping) and part.get("type", "text") == "text" else part for part in content]
        texts = [part for part in parts if isinstance(part, str)]
        if len(texts) == len(parts):
            return "\n".join(texts)
    raise TavuError(f"{where} holds {str(content)[:60]!r}, expected a content of text alone")
