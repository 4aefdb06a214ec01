"""Pieces of texts put into OpenAI's forms: whole answers, and the chunks of a stream."""

import json
import math
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tavu.serving.growing import Piece, Surprises
from tavu.vocabulary import END

_FINISH = {"end": "stop", "stop": "stop", "length": "length", "time": "length", None: None}
LEAST = -9999.0
"""In place of the log-probability of what cannot come, which JSON cannot say."""
PART = 256
"""Ids whose log-probabilities are written as JSON at a time."""


@dataclass(frozen=True)
class Form:
    """How one request is answered."""

    model: str
    is_chat: bool
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, texts: Sequence[Piece], obeyed: Sequence[dict[str, Any] | None], prompt_bytes: int, echoed: int) -> Iterator[bytes]:
        """The answer of whole texts, each with what it obeys, a part at a time: with log-probabilities it can be tens of megabytes."""
        head = self._head("chat.completion" if self.is_chat else "text_completion")
        yield _json(head)[:-1] + b',"choices":['
        for text, has in zip(texts, obeyed, strict=True):
            choice = _json(self._choice(replace(text, surprises=None), 0, "message", has))
            yield b"," * bool(text.index) + (choice if text.surprises is None else choice.removesuffix(b"null}"))
            if text.surprises is not None:
                yield from _logprobs_in_parts(text.surprises, self.is_chat)
                yield b"}"
        yield b'],"usage":' + _json(usage(prompt_bytes, sum(len(text.content) for text in texts) - echoed)) + b"}"

    def chunk(self, piece: Piece, offset: int, obeyed: dict[str, Any] | None, *, with_usage: bool) -> dict[str, Any]:
        """A piece as it is streamed; offset counts the characters of the text that have come before."""
        return self._stream_head() | {"choices": [self._choice(piece, offset, "delta", obeyed)]} | ({"usage": None} if with_usage else {})

    def opening(self, index: int) -> dict[str, Any]:
        """The first chunk of a streamed chat answer: who speaks."""
        delta = {"role": "assistant", "content": ""}
        return self._stream_head() | {"choices": [{"index": index, "delta": delta, "finish_reason": None, "logprobs": None}]}

    def closing(self, prompt_bytes: int, written: int) -> dict[str, Any]:
        """The last chunk, where usage is wanted."""
        return self._stream_head() | {"choices": [], "usage": usage(prompt_bytes, written)}

    def _stream_head(self) -> dict[str, Any]:
        return self._head("chat.completion.chunk" if self.is_chat else "text_completion")

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": f"{'chatcmpl' if self.is_chat else 'cmpl'}-{self.id}", "object": kind, "created": self.created, "model": self.model}

    def _choice(self, piece: Piece, offset: int, said: str, obeyed: dict[str, Any] | None) -> dict[str, Any]:
        text = piece.content.decode("utf-8", errors="replace")
        choice: dict[str, Any] = {"index": piece.index, "finish_reason": _FINISH[piece.stopped]}
        if not self.is_chat:
            choice |= {"text": text}
        elif said == "message":
            choice |= {said: {"role": "assistant", "content": text, "refusal": None}}
        else:
            choice |= {said: {"content": text} if text else {}}
        if obeyed is not None:
            choice |= {"obeyed": obeyed}
        return choice | {"logprobs": None if piece.surprises is None else _logprobs(piece.surprises, self.is_chat, offset)}


def usage(prompt_bytes: int, written: int) -> dict[str, int]:
    return {"prompt_tokens": prompt_bytes, "completion_tokens": written, "total_tokens": prompt_bytes + written}


def event(data: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + _json(data) + b"\n\n"


DONE = b"data: [DONE]\n\n"


def name_of(id: int) -> str:
    r"""An id as a token's name, as OpenAI writes those that are no text by themselves.

    >>> name_of(97), name_of(0xC3), name_of(256)
    ('a', 'bytes:\\xc3', '<end>')
    """
    return "<end>" if id == END else chr(id) if id < 0x80 else f"bytes:\\x{id:02x}"


def text_offsets(ids: np.ndarray, offset: int) -> np.ndarray:
    """The character of the text in which each id lies; offset counts those before it. A byte that continues a character lies where that begins.

    >>> text_offsets(np.array([256, 0x61, 0xC3, 0xA4, 0x61]), 0).tolist()
    [0, 0, 1, 1, 2]
    """
    begins = ((ids & 0xC0) != 0x80) & (ids != END)
    return np.maximum(offset + np.cumsum(begins) - (ids != END), 0)


def _columns(told: Surprises, is_chat: bool, offset: int) -> dict[str, Callable[[slice], list[Any]] | None]:
    """Each list of a choice's logprobs, as a function from a slice of the ids to that part of it."""
    if is_chat:
        return {"content": lambda some: _entries(told[some]), "refusal": None}
    offsets = text_offsets(told.ids, offset)
    return {
        "tokens": lambda some: [name_of(id) for id in told.ids[some].tolist()],
        "token_logprobs": lambda some: [_finite(value) for value in told.log_probabilities[some].tolist()],
        "top_logprobs": (lambda some: _tops(told[some])) if told.top_ids.shape[1] else None,
        "text_offset": lambda some: offsets[some].tolist(),
    }


def _logprobs(told: Surprises, is_chat: bool, offset: int) -> dict[str, Any]:
    return {name: column and column(slice(None)) for name, column in _columns(told, is_chat, offset).items()}


def _logprobs_in_parts(told: Surprises, is_chat: bool) -> Iterator[bytes]:
    """The JSON of _logprobs."""
    for place, (name, column) in enumerate(_columns(told, is_chat, 0).items()):
        yield (b"," if place else b"{") + _json(name) + (b":null" if column is None else b":[")
        if column is not None:
            for start in range(0, len(told), PART):
                yield b"," * bool(start) + _json(column(slice(start, start + PART)))[1:-1]
            yield b"]"
    yield b"}"


def _entries(told: Surprises) -> list[dict[str, Any]]:
    tops = zip(told.top_ids.tolist(), told.top_log_probabilities.tolist(), strict=True)
    own = zip(told.ids.tolist(), told.log_probabilities.tolist(), strict=True)
    return [
        _named(id, value) | {"top_logprobs": [_named(*one) for one in zip(ids, values, strict=True)]}
        for (id, value), (ids, values) in zip(own, tops, strict=True)
    ]


def _tops(told: Surprises) -> list[dict[str, float | None] | None]:
    rows = zip(told.log_probabilities.tolist(), told.top_ids.tolist(), told.top_log_probabilities.tolist(), strict=True)
    return [{name_of(id): _finite(top) for id, top in zip(ids, tops, strict=True)} if not math.isnan(value) else None for value, ids, tops in rows]


def _named(id: int, value: float) -> dict[str, Any]:
    return {"token": name_of(id), "logprob": _finite(value), "bytes": [id] if id != END else []}


def _finite(value: float) -> float | None:
    return round(max(value, LEAST), 5) + 0.0 if not math.isnan(value) else None  # no -0.0


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
