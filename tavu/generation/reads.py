"""Convert a prompt, a request or a conversation to the bytes that the model reads before it writes.

A model that was fine-tuned on records (data/records.py) reads the prompt of a record, up to and including the mark, and writes the completion.
"""

from collections.abc import Mapping, Sequence

from tavu.config import RecordKind
from tavu.data.records import MARK, Request, chat_prompt
from tavu.errors import TavuError

ROOM_FOR_ANSWER = 256
"""Bytes of the context that are kept free for the answer in a conversation."""


def of_prompt(prompt: bytes, kind: RecordKind | None) -> bytes:
    """The bytes for a prompt, for a model fine-tuned on records of this kind. For stories, or no records, the prompt is the beginning of the text."""
    if kind == "chat" and prompt:
        return of_conversation([{"role": "user", "content": prompt.decode(errors="replace")}])
    return prompt + MARK if kind == "prompts" and prompt else prompt


def of_request(request: Request) -> bytes:
    """The bytes for a story request."""
    return of_record(request.prompt())


def of_conversation(messages: Sequence[Mapping[str, str]]) -> bytes:
    """The bytes for a conversation, before the answer. Each message has a role (system, user, assistant) and a content."""
    return of_record(chat_prompt(messages))


def of_record(prompt: str) -> bytes:
    """The bytes for the prompt of a record, with the mark. An empty prompt stands for a document that is not a record."""
    return text_bytes(prompt) + (MARK if prompt else b"")


def text_bytes(text: str | bytes) -> bytes:
    """The bytes of a text. Raises TavuError if it is neither str nor bytes, or cannot be encoded as UTF-8."""
    if not isinstance(text, (str, bytes, bytearray)):
        raise TavuError(f"The text is of type {type(text).__name__}, expected str or bytes.")
    try:
        return text.encode() if isinstance(text, str) else bytes(text)
    except UnicodeEncodeError as error:
        bad = f"{error.object[error.start]!r} at character {error.start:,}"
        raise TavuError(f"The text has {bad}, half of a surrogate pair, which UTF-8 cannot encode. Remove it, or pass bytes.") from None


def latest_messages(messages: Sequence[Mapping[str, str]], context_bytes: int) -> list[Mapping[str, str]]:
    """The messages that fit in the context with room for an answer. The oldest turns are dropped first.

    System messages at the start and the last message are always kept. The first turn that is kept is never an answer.

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
