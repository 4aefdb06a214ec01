"""Pieces of texts put into OpenAI's forms: whole answers, and the chunks of a stream."""

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tavu.serving.growing import Piece, Surprise
from tavu.vocabulary import END

_FINISH = {"end": "stop", "stop": "stop", "length": "length", "time": "length", None: None}
LEAST = -9999.0
"""In place of the log-probability of what cannot come, which JSON cannot say."""


@dataclass(frozen=True)
class Form:
    """How one request is answered."""

    model: str
    is_chat: bool
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, pieces: Sequence[Sequence[Piece]], prompt_bytes: int) -> dict[str, Any]:
        """The answer of texts whose pieces have all come."""
        choices = []
        for index, some in enumerate(pieces):
            content = b"".join(piece.content for piece in some)
            choices.append(self._choice(Piece(index, content, tuple(s for piece in some for s in piece.surprises), some[-1].stopped), 0, "message"))
        written = sum(len(piece.content) for some in pieces for piece in some)
        return self._head("chat.completion" if self.is_chat else "text_completion") | {"choices": choices, "usage": usage(prompt_bytes, written)}

    def chunk(self, piece: Piece, offset: int, *, with_usage: bool) -> dict[str, Any]:
        """A piece as it is streamed; offset counts the characters of the text that have come before."""
        return self._stream_head() | {"choices": [self._choice(piece, offset, "delta")]} | ({"usage": None} if with_usage else {})

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

    def _choice(self, piece: Piece, offset: int, said: str) -> dict[str, Any]:
        text = piece.content.decode("utf-8", errors="replace")
        choice: dict[str, Any] = {"index": piece.index, "finish_reason": _FINISH[piece.stopped], "logprobs": None}
        if not self.is_chat:
            return choice | {"text": text} | ({"logprobs": _completion_logprobs(piece, offset)} if piece.surprises else {})
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None} if said == "message" else {"content": text} if text else {}
        return choice | {said: message} | ({"logprobs": _chat_logprobs(piece)} if piece.surprises else {})


def usage(prompt_bytes: int, written: int) -> dict[str, int]:
    return {"prompt_tokens": prompt_bytes, "completion_tokens": written, "total_tokens": prompt_bytes + written}


def event(data: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(data, separators=(",", ":"), allow_nan=False).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def name_of(id: int) -> str:
    r"""An id as a token's name, as OpenAI writes those that are no text by themselves.

    >>> name_of(97), name_of(0xC3), name_of(256)
    ('a', 'bytes:\\xc3', '<end>')
    """
    return "<end>" if id == END else chr(id) if id < 0x80 else f"bytes:\\x{id:02x}"


def _completion_logprobs(piece: Piece, offset: int) -> dict[str, Any]:
    offsets = []
    for byte in piece.content:
        offset += (byte & 0xC0) != 0x80  # a byte that continues a character lies where that begins
        offsets.append(max(offset - 1, 0))
    tops = [{name_of(id): _finite(value) for id, value in surprise.top} for surprise in piece.surprises]
    return {
        "tokens": [name_of(byte) for byte in piece.content],
        "token_logprobs": [_finite(surprise.log_probability) for surprise in piece.surprises],
        "top_logprobs": tops if any(tops) else None,
        "text_offset": offsets,
    }


def _chat_logprobs(piece: Piece) -> dict[str, Any]:
    content = [_named(byte, s.log_probability) | {"top_logprobs": _named_top(s)} for byte, s in zip(piece.content, piece.surprises, strict=True)]
    return {"content": content, "refusal": None}


def _named_top(surprise: Surprise) -> list[dict[str, Any]]:
    return [_named(id, value) for id, value in surprise.top]


def _named(id: int, value: float) -> dict[str, Any]:
    return {"token": name_of(id), "logprob": _finite(value), "bytes": [id] if id != END else []}


def _finite(value: float) -> float:
    return round(max(value, LEAST), 5) + 0.0  # no -0.0
