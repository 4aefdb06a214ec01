"""Responses in OpenAI's format: full responses, and the chunks of a stream."""

import json
import math
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tavu.serving.streams import Logprobs, Piece
from tavu.vocabulary import END

_FINISH = {"end": "stop", "stop": "stop", "length": "length", "time": "length", None: None}
MIN_LOGPROB = -9999.0
"""Stands for a log-probability of -inf, which JSON lacks."""
IDS_PER_PART = 256
"""The number of ids whose log-probabilities are converted to JSON at a time."""


@dataclass(frozen=True)
class ResponseBuilder:
    """Builds the response to one request."""

    model: str
    is_chat: bool
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, texts: Sequence[Piece], obeyed: Sequence[dict[str, Any] | None], prompt_bytes: int, echoed: int) -> Iterator[bytes]:
        """The full response as JSON, in parts: with log-probabilities it can have tens of megabytes."""
        head = self._head("chat.completion" if self.is_chat else "text_completion")
        yield _json(head)[:-1] + b',"choices":['
        for text, has in zip(texts, obeyed, strict=True):
            choice = _json(self._choice(replace(text, logprobs=None), 0, "message", has))
            yield b"," * bool(text.index) + (choice if text.logprobs is None else choice.removesuffix(b"null}"))
            if text.logprobs is not None:
                yield from _logprobs_in_parts(text.logprobs, self.is_chat)
                yield b"}"
        yield b'],"usage":' + _json(usage(prompt_bytes, sum(len(text.content) for text in texts) - echoed)) + b"}"

    def chunk(self, piece: Piece, offset: int, obeyed: dict[str, Any] | None, *, with_usage: bool) -> dict[str, Any]:
        """The chunk for a piece. offset is the number of characters of the text that were sent before."""
        return self._stream_head() | {"choices": [self._choice(piece, offset, "delta", obeyed)]} | ({"usage": None} if with_usage else {})

    def first_chunk(self, index: int) -> dict[str, Any]:
        """The first chunk of a streamed chat response, with the role."""
        delta = {"role": "assistant", "content": ""}
        return self._stream_head() | {"choices": [{"index": index, "delta": delta, "finish_reason": None, "logprobs": None}]}

    def usage_chunk(self, prompt_bytes: int, written: int) -> dict[str, Any]:
        """The last chunk, with the usage, if it was requested."""
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
        return choice | {"logprobs": None if piece.logprobs is None else _logprobs(piece.logprobs, self.is_chat, offset)}


def usage(prompt_bytes: int, written: int) -> dict[str, int]:
    return {"prompt_tokens": prompt_bytes, "completion_tokens": written, "total_tokens": prompt_bytes + written}


def event(data: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + _json(data) + b"\n\n"


DONE = b"data: [DONE]\n\n"


def token_name(id: int) -> str:
    r"""The name of an id as a token, in OpenAI's notation for tokens that are not text by themselves.

    >>> token_name(97), token_name(0xC3), token_name(256)
    ('a', 'bytes:\\xc3', '<end>')
    """
    return "<end>" if id == END else chr(id) if id < 0x80 else f"bytes:\\x{id:02x}"


def text_offsets(ids: np.ndarray, offset: int) -> np.ndarray:
    """The index of the character that each id belongs to, counted from offset. All bytes of a character have its index.

    >>> text_offsets(np.array([256, 0x61, 0xC3, 0xA4, 0x61]), 0).tolist()
    [0, 0, 1, 1, 2]
    """
    begins = ((ids & 0xC0) != 0x80) & (ids != END)
    return np.maximum(offset + np.cumsum(begins) - (ids != END), 0)


def _columns(logprobs: Logprobs, is_chat: bool, offset: int) -> dict[str, Callable[[slice], list[Any]] | None]:
    """The lists of a choice's logprobs, each as a function from a slice of the ids to that part of the list."""
    if is_chat:
        return {"content": lambda some: _entries(logprobs[some]), "refusal": None}
    offsets = text_offsets(logprobs.ids, offset)
    return {
        "tokens": lambda some: [token_name(id) for id in logprobs.ids[some].tolist()],
        "token_logprobs": lambda some: [_finite(value) for value in logprobs.log_probabilities[some].tolist()],
        "top_logprobs": (lambda some: _tops(logprobs[some])) if logprobs.top_ids.shape[1] else None,
        "text_offset": lambda some: offsets[some].tolist(),
    }


def _logprobs(logprobs: Logprobs, is_chat: bool, offset: int) -> dict[str, Any]:
    return {name: column and column(slice(None)) for name, column in _columns(logprobs, is_chat, offset).items()}


def _logprobs_in_parts(logprobs: Logprobs, is_chat: bool) -> Iterator[bytes]:
    """The JSON of _logprobs, in parts."""
    for place, (name, column) in enumerate(_columns(logprobs, is_chat, 0).items()):
        yield (b"," if place else b"{") + _json(name) + (b":null" if column is None else b":[")
        if column is not None:
            for start in range(0, len(logprobs), IDS_PER_PART):
                yield b"," * bool(start) + _json(column(slice(start, start + IDS_PER_PART)))[1:-1]
            yield b"]"
    yield b"}"


def _entries(logprobs: Logprobs) -> list[dict[str, Any]]:
    tops = zip(logprobs.top_ids.tolist(), logprobs.top_log_probabilities.tolist(), strict=True)
    own = zip(logprobs.ids.tolist(), logprobs.log_probabilities.tolist(), strict=True)
    return [
        _named(id, value) | {"top_logprobs": [_named(*one) for one in zip(ids, values, strict=True)]}
        for (id, value), (ids, values) in zip(own, tops, strict=True)
    ]


def _tops(logprobs: Logprobs) -> list[dict[str, float | None] | None]:
    rows = zip(logprobs.log_probabilities.tolist(), logprobs.top_ids.tolist(), logprobs.top_log_probabilities.tolist(), strict=True)
    return [{token_name(id): _finite(top) for id, top in zip(ids, tops, strict=True)} if not math.isnan(value) else None for value, ids, tops in rows]


def _named(id: int, value: float) -> dict[str, Any]:
    return {"token": token_name(id), "logprob": _finite(value), "bytes": [id] if id != END else []}


def _finite(value: float) -> float | None:
    return round(max(value, MIN_LOGPROB), 5) + 0.0 if not math.isnan(value) else None  # no -0.0


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
