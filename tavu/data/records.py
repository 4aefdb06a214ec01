"""Records for fine-tuning: a prompt and its completion.

A record becomes one document: the prompt, a mark, and the completion:

    Words: quit, oak, gloomy          Features: Dialogue          Story:<mark>          Sara and Ben were playing ...

(each on its own line). The mark is the byte 0xFF, which never occurs in UTF-8, and a newline. It tells the model where to start writing, and training
which bytes count in the loss. Supported inputs: the text format of TinyStories-Instruct (fields in any order and subset, documents between
`<|endoftext|>`), and JSON rows with a story and its fields, with `prompt` and `completion`, or with a conversation (conversations.py).
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
from tavu.data.rows import RowCount
from tavu.errors import TavuError
from tavu.vocabulary import MARK_ID

MARK = bytes([MARK_ID]) + b"\n"
STORY = "Story"
LABELS = {"words": "Words", "features": "Features", "summary": "Summary", "sentence": "Random sentence"}
"""The label of each field in a prompt: those of TinyStories-Instruct, for text in any language."""
_FIELD_OF_LABEL = {label.lower(): field for field, label in LABELS.items()} | {"sentence": "sentence"}
_WORD_FIELDS = ("words", "verb", "noun", "adjective")
_STORY_FIELDS = ("story", "text")
_LABEL = re.compile(r"^(random sentence|sentence|features|words|summary|story):[ \t]*", re.IGNORECASE | re.MULTILINE)
_MADE_OF_STORIES = "(`tavu instruct-data` makes records of plain stories)"
PLAIN_ONE_IN = 5
ROLES = {"system": "System", "user": "User", "assistant": "Assistant"}


@dataclass(frozen=True)
class Request:
    """What a story should contain. Empty fields are not requested."""

    words: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    summary: str = ""
    sentence: str = ""
    """A sentence that occurs verbatim in the story."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the requested fields."""
        return tuple(field for field in LABELS if getattr(self, field))

    def only(self, fields: Sequence[str]) -> "Request":
        """The request with only these fields."""
        return replace(Request(), **{field: getattr(self, field) for field in fields})

    def prompt(self, order: Sequence[str] | None = None) -> str:
        """The request as the model reads it, with its fields in the given order; empty fields are skipped.

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
    """One training example: the prompt that the model reads and the completion that it should write."""

    prompt: str
    completion: str
    request: Request | None = None
    """The parsed prompt, if it requests a story."""

    def document(self) -> bytes:
        return self.prompt.encode() + MARK + self.completion.encode()


def split_document(document: bytes) -> tuple[bytes, bytes]:
    """The prompt (with its mark) and the completion of a document. A document without a mark is all completion.

    >>> split_document(b"Story:\\xff\\nOnce"), split_document(b"Once")
    ((b'Story:\\xff\\n', b'Once'), (b'', b'Once'))
    """
    prompt, mark, completion = document.partition(MARK)
    return (prompt + mark, completion) if mark else (b"", document)


def kind_of_records(prompts: Iterable[str]) -> RecordKind:
    """The kind of most records, detected by how their prompts (without marks) end."""
    ends = Counter(prompt.rsplit("\n", 1)[-1] for prompt in prompts if prompt)
    most = max(ends, key=ends.__getitem__, default="")
    return "stories" if most == f"{STORY}:" else "chat" if most == f"{ROLES['assistant']}:" else "prompts"


def requested_features(prompt: str) -> tuple[str, ...]:
    """The features that a prompt requests.

    >>> requested_features("Words: oak\\nFeatures: Dialogue, Twist\\nStory:")
    ('Dialogue', 'Twist')
    """
    found = re.search(rf"^{LABELS['features']}: (.*)$", prompt, re.MULTILINE)
    return listed(found[1]) if found else ()


def parse_record(text: str) -> Record:
    """Parse one record in the text format of TinyStories-Instruct, keeping the order of its fields.

    Raises TavuError if there is no story or no request, or if a field is empty or occurs twice.

    >>> parse_record("Words: oak, quit\\nStory: \\n\\nOnce.").prompt
    'Words: oak, quit\\nStory:'
    """
    begins = []
    for found in _LABEL.finditer(text):
        begins.append(found)
        if found[1].lower() == "story":  # what follows is story text, even if it looks like a field
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
        raise TavuError(f"it has a {STORY}: but no request")
    request = Request(listed(values.get("words", "")), listed(values.get("features", "")), values.get("summary", ""), values.get("sentence", ""))
    return Record(request.prompt(list(values)), story, request)


def request_of(prompt: str) -> Request | None:
    """The request in a prompt (without its mark), or None if it does not request a story."""
    try:
        return parse_record(f"{prompt} x").request
    except TavuError:
        return None


def records_of_row(row: Any) -> Iterator[Record]:
    """The records of one JSON row: one, or one per answer of a conversation.

    Raises TavuError if a required field is missing, empty, or of the wrong type.
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
            raise TavuError(f"it has a story but no request, expected one of {wanted} {_MADE_OF_STORIES}")
        yield Record(request.prompt(shuffled_fields(request, story)), story, request)


def documents_of_row(row: Any) -> Iterator[bytes]:
    """The documents of one JSON row, with some fields of the request dropped. Raises TavuError like records_of_row."""
    for record in records_of_row(row):
        yield _document(with_some_fields(record))


def _document(record: Record) -> bytes:
    """A record as a training document. One in PLAIN_ONE_IN has no prompt, so that the model still learns to write without one."""
    is_plain = record.request is not None and _rng_for("plain", record).randrange(PLAIN_ONE_IN) == 0
    return record.completion.encode() if is_plain else record.document()


def _rng_for(purpose: str, record: Record) -> random.Random:
    """A random generator seeded by the record."""
    return random.Random(hashlib.blake2b(purpose.encode() + record.document(), digest_size=8).hexdigest())


def of_rows(rows: Iterator[tuple[str, object]]) -> Iterator[bytes | TavuError]:
    """The documents of JSON rows, each given with its place; a TavuError in place of a bad row."""
    for where, row in rows:
        try:
            if isinstance(row, TavuError):
                raise row
            yield from documents_of_row(row)
        except TavuError as fault:
            yield _bad(where, fault) if fault is not row else fault
        except UnicodeEncodeError:
            yield _bad(where, TavuError("it holds half of a surrogate pair, which is no character"))


def of_text(documents: Iterator[bytes | TavuError], name: str, count: RowCount) -> Iterator[bytes | TavuError]:
    """The documents of a TinyStories-Instruct file, fields unchanged, numbered on from `count`; a TavuError in place of a bad record."""
    for document in documents:
        if isinstance(document, TavuError) or not document:
            yield document
            continue
        count.number += 1
        try:
            yield _document(parse_record(document.decode()))
        except TavuError as fault:
            yield _bad(f"{name} record {count.number:,}", fault)


def _bad(where: str, fault: TavuError) -> TavuError:
    return TavuError(f"{where} is not a record: {fault}. Fix it or remove it.")


def shuffled_fields(request: Request, story: str) -> list[str]:
    """The fields of a request in a random order, seeded by its story."""
    fields = list(request.fields)
    random.Random(hashlib.blake2b(story.encode(), digest_size=8).hexdigest()).shuffle(fields)
    return fields


def with_some_fields(record: Record, chance: float = 0.5) -> Record:
    """The record with random fields dropped, seeded by the record: one is always kept, each other with this chance.

    The model thus learns to follow each field alone (TinyStories-Instruct, Eldan and Li 2023, section 5).
    """
    if record.request is None:
        return record
    rng = _rng_for("drop", record)
    order = sorted(record.request.fields, key=lambda field: record.prompt.index(f"{LABELS[field]}:"))
    kept = rng.randrange(len(order))
    order = [field for i, field in enumerate(order) if i == kept or rng.random() < chance]
    request = record.request.only(order)
    return Record(request.prompt(order), record.completion, request)


def chat_prompt(messages: Sequence[Mapping[str, str]]) -> str:
    """A conversation as the prompt for the next answer. Each message has a role (system, user, assistant) and a content.

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
        raise TavuError("its messages have no answer of an assistant to train on")


def listed(text: str) -> tuple[str, ...]:
    """The items of a list separated by commas, in any script."""
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
