"""Records: a request and what was written to it, as a model is fine-tuned on them.

A record becomes one document, its prompt, a mark, and its completion:

    Words: quit, oak, gloomy          Features: Dialogue          Story:<mark>          Sara and Ben were playing ...

(each on a line of its own). The mark is the byte 0xFF, which no UTF-8 text holds, and a newline: it tells the model to write, and the training which
bytes to learn from. What is read: TinyStories-Instruct's text (fields in any order and subset, documents between `<|endoftext|>`), and rows of JSON
with a story and its fields, with `prompt` and `completion`, or with a conversation (conversations.py).
"""

import hashlib
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tavu.config import RecordKind
from tavu.data.conversations import messages_of
from tavu.errors import TavuError
from tavu.vocabulary import MARK_ID

MARK = bytes([MARK_ID]) + b"\n"
STORY = "Story"
LABELS = {"words": "Words", "features": "Features", "summary": "Summary", "sentence": "Random sentence"}
"""How each field of a request is called in a prompt: as in TinyStories-Instruct, in every language."""
_FIELD_OF_LABEL = {label.lower(): field for field, label in LABELS.items()} | {"sentence": "sentence"}
_WORD_FIELDS = ("words", "verb", "noun", "adjective")
_STORY_FIELDS = ("story", "text")
_LABEL = re.compile(r"^(random sentence|sentence|features|words|summary|story):[ \t]*", re.IGNORECASE | re.MULTILINE)
_MADE_OF_STORIES = "(`tavu instruct-data` makes records of plain stories)"
PLAIN_ONE_IN = 5
ROLES = {"system": "System", "user": "User", "assistant": "Assistant"}


@dataclass(frozen=True)
class Request:
    """What a story is to have. Fields that are empty were not asked for."""

    words: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    summary: str = ""
    sentence: str = ""
    """Which occurs in the story as it is."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of those that were asked for."""
        return tuple(field for field in LABELS if getattr(self, field))

    def only(self, fields: Sequence[str]) -> "Request":
        """The request without its other fields."""
        return replace(Request(), **{field: getattr(self, field) for field in fields})

    def prompt(self, order: Sequence[str] | None = None) -> str:
        """The request as a model reads it, its fields in an order of names; those that are empty are left out.

        >>> Request(words=("oak", "quit"), features=("Dialogue",)).prompt()
        'Words: oak, quit\\nFeatures: Dialogue\\nStory:'
        """
        lines = []
        for field in self.fields if order is None else [field for field in order if getattr(self, field)]:
            value = getattr(self, field)
            lines.append(f"{LABELS[field]}: {value if isinstance(value, str) else ', '.join(value)}\n")
        return "".join(lines) + f"{STORY}:"


@dataclass(frozen=True)
class Record:
    """One example: what a model reads, and what it is to write."""

    prompt: str
    completion: str
    request: Request | None = None
    """What the prompt asks for, where it asks for a story."""

    def document(self) -> bytes:
        return self.prompt.encode() + MARK + self.completion.encode()


def split_document(document: bytes) -> tuple[bytes, bytes]:
    """The prompt, with its mark, and the completion of a document; a document that is no record is all completion.

    >>> split_document(b"Story:\\xff\\nOnce"), split_document(b"Once")
    ((b'Story:\\xff\\n', b'Once'), (b'', b'Once'))
    """
    prompt, mark, completion = document.partition(MARK)
    return (prompt + mark, completion) if mark else (b"", document)


def kind_of_records(prompts: Iterable[str]) -> RecordKind:
    """What most records of a model ask for, told by how their prompts end (without marks)."""
    ends = Counter(prompt.rsplit("\n", 1)[-1] for prompt in prompts if prompt)
    most = max(ends, key=ends.__getitem__, default="")
    return "stories" if most == f"{STORY}:" else "chat" if most == f"{ROLES['assistant']}:" else "prompts"


def requested_features(prompt: str) -> tuple[str, ...]:
    """The features that a prompt asks for.

    >>> requested_features("Words: oak\\nFeatures: Dialogue, Twist\\nStory:")
    ('Dialogue', 'Twist')
    """
    found = re.search(rf"^{LABELS['features']}: (.*)$", prompt, re.MULTILINE)
    return listed(found[1]) if found else ()


def parse_record(text: str) -> Record:
    """The record of a piece of TinyStories-Instruct's text, its fields in the order they have there.

    Raises TavuError when there is no story, no request, or a field twice or empty.

    >>> parse_record("Words: oak, quit\\nStory: \\n\\nOnce.").prompt
    'Words: oak, quit\\nStory:'
    """
    begins = []
    for found in _LABEL.finditer(text):
        begins.append(found)
        if found[1].lower() == "story":  # what looks like a field in a story is a part of it
            break
    if not begins or text[: begins[0].start()].strip():
        expected = f"a field, as in {LABELS['words']}: oak, quit {_MADE_OF_STORIES}"
        raise TavuError(f"it begins with {text.strip()[:40]!r}, expected {expected}")
    if begins[-1][1].lower() != "story":
        raise TavuError(f"it has no field {STORY}:")
    values: dict[str, str] = {}
    for found, following in zip(begins, [*begins[1:], None], strict=True):
        name = found[1].lower()
        field = "story" if name == "story" else _FIELD_OF_LABEL[name]
        value = text[found.end() : following.start() if following else None].strip()
        if field in values:
            raise TavuError(f"it has the field {found[1]}: twice")
        if not value:
            raise TavuError(f"its field {found[1]}: is empty")
        values[field] = value
    story = values.pop("story")
    if not values:
        raise TavuError(f"it has a {STORY}: and nothing that was asked for")
    request = Request(listed(values.get("words", "")), listed(values.get("features", "")), values.get("summary", ""), values.get("sentence", ""))
    return Record(request.prompt(list(values)), story, request)


def request_of(prompt: str) -> Request | None:
    """What a prompt (without its mark) asks for; None where it does not ask for a story."""
    try:
        return parse_record(f"{prompt} x").request
    except TavuError:
        return None


def records_of_row(row: Any) -> Iterator[Record]:
    """The records of one row of JSON: one, or one for each answer of a conversation.

    Raises TavuError when a field that is needed is missing, empty, or of another type.
    """
    if not isinstance(row, Mapping):
        raise TavuError('it is not an object, expected one like {"prompt": "...", "completion": "..."}')
    if (messages := messages_of(row)) is not None:
        yield from _of_messages(messages)
    elif "prompt" in row or "completion" in row:
        yield Record(_text(row, "prompt"), _text(row, "completion"))
    else:
        name = next((name for name in _STORY_FIELDS if name in row), None)
        if name is None:
            raise TavuError(f"it has {_names(row)}, expected a story with its fields, prompt and completion, or a conversation")
        story = _text(row, name)
        words = [word for field in _WORD_FIELDS for word in _list(row, field)]
        request = Request(tuple(dict.fromkeys(words)), tuple(_list(row, "features")), _optional(row, "summary"), _optional(row, "sentence"))
        if not request.fields:
            wanted = ", ".join((*_WORD_FIELDS, "features", "summary", "sentence"))
            raise TavuError(f"it has a story and nothing that was asked for, expected one of {wanted} {_MADE_OF_STORIES}")
        yield Record(request.prompt(shuffled_fields(request, story)), story, request)


def documents_of_row(row: Any) -> Iterator[bytes]:
    """The documents of one row of JSON, some fields of its request left out. Raises TavuError as records_of_row."""
    for record in records_of_row(row):
        yield _document(with_some_fields(record))


def _document(record: Record) -> bytes:
    """A record as it is trained on: one story in PLAIN_ONE_IN without its request, so that a model does not forget to write by itself."""
    is_plain = record.request is not None and _dice("plain", record).randrange(PLAIN_ONE_IN) == 0
    return record.completion.encode() if is_plain else record.document()


def _dice(what_for: str, record: Record) -> random.Random:
    """Chance that falls the same for the same record."""
    return random.Random(hashlib.blake2b(what_for.encode() + record.document(), digest_size=8).hexdigest())


def of_rows(rows: Iterator[tuple[str, object]]) -> Iterator[bytes | TavuError]:
    """The documents of rows of JSON with where they stand, a TavuError in the place of a bad one."""
    for where, row in rows:
        try:
            if isinstance(row, TavuError):
                raise row
            yield from documents_of_row(row)
        except TavuError as fault:
            yield _bad(where, fault) if fault is not row else fault
        except UnicodeEncodeError:
            yield _bad(where, TavuError("it holds half of a surrogate pair, which is no character"))


def of_text(documents: Iterator[bytes | TavuError], name: str) -> Iterator[bytes | TavuError]:
    """The documents of a file of TinyStories-Instruct, their fields as they are there, a TavuError in the place of a bad one."""
    number = 0
    for document in documents:
        if isinstance(document, TavuError) or not document:
            yield document
            continue
        number += 1
        try:
            yield _document(parse_record(document.decode()))
        except TavuError as fault:
            yield _bad(f"{name} record {number:,}", fault)


def _bad(where: str, fault: TavuError) -> TavuError:
    return TavuError(f"{where} is no record: {fault}. Fix it, or leave it out.")


def shuffled_fields(request: Request, story: str) -> list[str]:
    """The fields of a request in an order that its story decides, at random and always the same."""
    fields = list(request.fields)
    random.Random(hashlib.blake2b(story.encode(), digest_size=8).hexdigest()).shuffle(fields)
    return fields


def with_some_fields(record: Record, chance: float = 0.5) -> Record:
    """The record with some of its fields dropped, at random and always the same: at least one stays, each other with this chance.

    So a model learns to obey any of them alone (TinyStories-Instruct, Eldan and Li 2023, section 5).
    """
    if record.request is None:
        return record
    dice = _dice("drop", record)
    order = sorted(record.request.fields, key=lambda field: record.prompt.index(f"{LABELS[field]}:"))
    kept = dice.randrange(len(order))
    order = [field for i, field in enumerate(order) if i == kept or dice.random() < chance]
    request = record.request.only(order)
    return Record(request.prompt(order), record.completion, request)


def chat_prompt(messages: Sequence[Mapping[str, str]]) -> str:
    """A conversation as a model reads it before its answer. Each message has a role (system, user, assistant) and a content.

    >>> chat_prompt([{"role": "user", "content": "Hello!"}])
    'User: Hello!\\nAssistant:'
    """
    return "".join(f"{ROLES[message['role']]}: {message['content'].strip()}\n" for message in messages) + f"{ROLES['assistant']}:"


def _of_messages(messages: Sequence[Mapping[str, str]]) -> Iterator[Record]:
    num_answers = 0
    for i, message in enumerate(messages):
        if message["role"] == "assistant":
            if not message["content"].strip():
                raise TavuError(f"its message {i + 1}, an answer, is empty")
            num_answers += 1
            yield Record(chat_prompt(messages[:i]), message["content"].strip())
    if not num_answers:
        raise TavuError("its messages hold no answer of an assistant, which a model could learn from")


def listed(text: str) -> tuple[str, ...]:
    """Words divided by commas, in any script."""
    return tuple(dict.fromkeys(word.strip() for word in re.split(r"[,،、，;]", text) if word.strip()))


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        said = "missing" if name not in row else f"{value!r}"[:40]
        raise TavuError(f"its field '{name}' is {said}, expected a text")
    return value.strip()


def _optional(row: Mapping[str, Any], name: str) -> str:
    return _text(row, name) if row.get(name) not in (None, "") else ""


def _list(row: Mapping[str, Any], name: str) -> Sequence[str]:
    value = row.get(name)
    if value in (None, "", []):
        return ()
    if isinstance(value, str):
        return listed(value)
    if isinstance(value, Sequence) and all(isinstance(item, str) and item.strip() for item in value):
        return tuple(item.strip() for item in value)
    raise TavuError(f"its field '{name}' is {value!r}"[:80] + ", expected a text, or a list of texts")


def _names(row: Mapping[str, Any]) -> str:
    return ", ".join(f"'{name}'" for name in list(row)[:8]) or "no field"
