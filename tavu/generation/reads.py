"""What a model reads before it writes: a prompt, a request or a conversation, as bytes.

A model that was fine-tuned on records (data/records.py) reads what its records begin with, up to and with the mark, after which it is to write.
"""

from collections.abc import Mapping, Sequence

from tavu.config import RecordKind
from tavu.data.records import MARK, Request, chat_prompt
from tavu.errors import TavuError

ROOM_FOR_ANSWER = 256
"""Bytes of the context that a conversation leaves free for an answer."""


def of_prompt(prompt: bytes, kind: RecordKind | None) -> bytes:
    """What a model that was fine-tuned on records of this kind reads for a prompt; of stories, or of none: the beginning of its text."""
    if kind == "chat" and prompt:
        return of_conversation([{"role": "user", "content": prompt.decode(errors="replace")}])
    return prompt + MARK if kind == "prompts" and prompt else prompt


def of_request(request: Request) -> bytes:
    """What it reads before a story to order."""
    return of_record(request.prompt())


def of_conversation(messages: Sequence[Mapping[str, str]]) -> bytes:
    """What it reads before its answer. Each message has a role (system, user, assistant) and a content."""
    return of_record(chat_prompt(messages))


def of_record(prompt: str) -> bytes:
    """What it reads before the completion of a record; of a document that is none, the prompt is empty."""
    return text_bytes(prompt) + (MARK if prompt else b"")


def text_bytes(text: str | bytes) -> bytes:
    """The bytes of a text. Raises TavuError when it is no text, or UTF-8 cannot spell it."""
    if not isinstance(text, (str, bytes, bytearray)):
        raise TavuError(f"The text is of type {type(text).__name__}, expected str or bytes.")
    try:
        return text.encode() if isinstance(text, str) else bytes(text)
    except UnicodeEncodeError as error:
        bad = f"{error.object[error.start]!r} at character {error.start:,}"
        raise TavuError(f"The text has {bad}, half of a surrogate pair, which UTF-8 cannot spell. Leave it out, or give bytes.") from None


def latest_messages(messages: Sequence[Mapping[str, str]], context_bytes: int) -> list[Mapping[str, str]]:
    """What of a conversation fits in a context and leaves room for an answer: the oldest turns are forgotten first.

    What stands before the conversation (system) is kept, and so is its last message; the first turn that is kept is not an answer.

    >>> turns = [{"role": role, "content": "Hello."} for role in ("system", "user", "assistant", "user")]
    >>> [message["role"] for message in latest_messages(turns, 80)]
    ['system', 'user']
    """
    first = next((i for i, message in enumerate(messages) if message["role"] != "system"), len(messages))
    sizes = [len(of_conversation([message])) - len(of_conversation([])) for message in messages]
    room = context_bytes - min(ROOM_FOR_ANSWER, context_bytes // 2) - len(of_conversation([])) - sum(sizes[:first])
    kept = len(messages)
    while kept > first and (kept == len(messages) or sizes[kept - 1] <= room):
        kept -= 1
        room -= sizes[kept]
    while kept < len(messages) - 1 and messages[kept]["role"] == "assistant":
        kept += 1
    return [*messages[:first], *messages[kept:]]
