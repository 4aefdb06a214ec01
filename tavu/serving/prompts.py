"""Parse prompts in all formats of OpenAI's API: text, ids, lists of either, and message content in parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from tavu.data.formats import SEPARATOR
from tavu.serving.limits import MAX_PROMPT_BYTES, MAX_PROMPTS
from tavu.vocabulary import END

END_OF_DOCUMENT = SEPARATOR.decode()
_TEXT_PARTS = ("text", "input_text", "output_text")
_TEXT = {"type": "string", "maxLength": MAX_PROMPT_BYTES // 4}
_IDS = {
    "type": "array",
    "items": {"type": "integer", "minimum": 0, "maximum": END - 1},
    "minItems": 1,
    "maxItems": MAX_PROMPT_BYTES,
}


@dataclass(frozen=True)
class Prompt:
    """One prompt."""

    content: bytes
    is_ids: bool = False
    """It was sent as ids. It is used verbatim, whatever the model was fine-tuned on."""
    starts_with_end: bool = False
    """It was sent with END, or its text form, at the start. An echo repeats that END."""


def _prompts(value: Any) -> list[Prompt]:
    """Parse a prompt field. Raises PydanticCustomError with a sentence."""
    if value is None:
        return [Prompt(b"")]
    if isinstance(value, str) or (isinstance(value, list) and value and all(type(item) is int for item in value)):
        value = [value]
    if not isinstance(value, list) or not value:
        raise _wrong("it is neither text, nor a list of texts, nor a list of ids of bytes")
    if len(value) > MAX_PROMPTS:
        raise _wrong(f"it has {len(value):,} prompts, at most {MAX_PROMPTS} are allowed")
    return [_prompt(item) for item in value]


def _prompt(value: Any) -> Prompt:
    if isinstance(value, str):
        try:
            content = value.encode()
        except UnicodeEncodeError:
            raise _wrong("it has half a surrogate pair, which UTF-8 cannot encode") from None
        mark = END_OF_DOCUMENT.encode()
        prompt = Prompt(content.removeprefix(mark), starts_with_end=content.startswith(mark))
    elif isinstance(value, list) and value and all(type(id) is int for id in value):
        starts = value[0] == END
        if not all(0 <= id < END for id in value[starts:]):
            raise _wrong(f"its ids are bytes, 0 to {END - 1}; {END}, the end of a document, may come before the first")
        prompt = Prompt(bytes(value[starts:]), True, starts)
    else:
        raise _wrong("a list of prompts must contain texts, or lists of ids of bytes")
    if len(prompt.content) > MAX_PROMPT_BYTES:
        raise _wrong(f"it has {len(prompt.content):,} bytes, at most {MAX_PROMPT_BYTES:,} are allowed. The model only reads the last of them")
    return prompt


def _joined(value: Any) -> Any:
    """Join message content that was sent in parts; null is empty. Raises PydanticCustomError for a part that is not text."""
    if not isinstance(value, list):
        return "" if value is None else value
    for part in value:
        if not isinstance(part, dict) or part.get("type") not in _TEXT_PARTS or not isinstance(part.get("text"), str):
            raise _wrong("it has a part that is not text, and this model reads text only. Omit images, audio and files")
    return "\n".join(part["text"] for part in value)


def ids_of(text: str, *, with_start: bool = False) -> list[int]:
    """The ids of a text: its bytes, with END for each <|endoftext|>.

    >>> ids_of("Hi<|endoftext|>"), text_of([72, 105, 256])
    ([72, 105, 256], 'Hi<|endoftext|>')
    """
    ids = [END] if with_start else []
    for i, document in enumerate(text.split(END_OF_DOCUMENT)):
        ids += [END, *document.encode()] if i else document.encode()
    return ids


def text_of(ids: Sequence[int]) -> str:
    return b"".join(END_OF_DOCUMENT.encode() if id == END else bytes((id,)) for id in ids).decode(errors="replace")


def _wrong(sentence: str) -> PydanticCustomError:
    return PydanticCustomError("sentence", "{sentence}", {"sentence": sentence})


Prompts = Annotated[
    list[Prompt],
    PlainValidator(_prompts),
    WithJsonSchema(
        {
            "anyOf": [
                _TEXT,
                {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": MAX_PROMPTS},
                _IDS,
                {"type": "array", "items": _IDS, "minItems": 1, "maxItems": MAX_PROMPTS},
                {"type": "null"},
            ]
        }
    ),
]
_PART = {
    "type": "object",
    "properties": {"type": {"enum": list(_TEXT_PARTS)}, "text": {"type": "string"}},
    "required": ["type", "text"],
}
Content = Annotated[
    str,
    BeforeValidator(_joined),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": _PART}, {"type": "null"}]}),
]
