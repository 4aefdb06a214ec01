"""Client errors in OpenAI's format: a sentence, and the name of the field. The values that were sent are never echoed."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse

from tavu.serving.protocol import ChatRequest, CompletionRequest
from tavu.serving.unsupported import refusal_reason

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
_SUPPORTED = {*CompletionRequest.model_fields, *ChatRequest.model_fields}
_NOT_JSON = "The body is not valid JSON. Send a JSON object, with Content-Type: application/json."
_RULES = {
    "missing": "is missing",
    "string_type": "is not a string",
    "string_unicode": "has half a surrogate pair, which UTF-8 cannot encode",
    "string_too_short": "is empty",
    "string_too_long": "is longer than {max_length:,} characters, which is the most",
    "int_type": "is not a whole number",
    "float_type": "is not a number",
    "finite_number": "is not a number",
    "bool_type": "is neither true nor false",
    "list_type": "is not a list",
    "model_type": "is not an object",
    "model_attributes_type": "is not an object",
    "too_short": "is empty, expected at least {min_length}",
    "too_long": "has too many entries, expected at most {max_length}",
    "greater_than": "is too small, expected more than {gt:g}",
    "greater_than_equal": "is too small, expected at least {ge:g}",
    "less_than": "is too large, expected less than {lt:g}",
    "less_than_equal": "is too large, expected at most {le:g}",
    "literal_error": "is not one of {expected}",
}
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


class Refusal(Exception):
    """Raised to answer a request with an error."""

    def __init__(self, status: int, message: str, code: str, headers: dict[str, str] | None = None, param: str | None = None):
        self.status, self.message, self.code, self.headers, self.param = status, message, code, headers or {}, param

    def answer(self) -> JSONResponse:
        return error_answer(self.status, self.message, param=self.param, code=self.code, headers=self.headers)


def error_answer(
    status: int, message: str, *, param: str | None = None, code: str | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return JSONResponse(body, status, dict(headers or {}))


def invalid_request(errors: Sequence[Mapping[str, Any]]) -> JSONResponse:
    """The response to a body that pydantic rejects: the first error, with the path of the field and the rule, without the value."""
    first = errors[0]
    if first["type"] == "json_invalid":
        return error_answer(400, _NOT_JSON, code="invalid_json")
    path, context = [part for part in first["loc"] if part != "body"], first.get("ctx", {})
    if first["type"] == "sentence_of":
        path = [context["param"]]
    if not path:
        return error_answer(400, "The body is not a JSON object. Send one, as described in /docs.", code="invalid_value")
    if first["type"] == "extra_forbidden" and not re.fullmatch(r"[A-Za-z_]\w{0,63}", str(path[-1]), re.ASCII):
        return error_answer(400, "The body has a field that this server does not know. /docs lists all fields.", code="invalid_value")
    if first["type"] == "extra_forbidden":
        message = f"{_field(path)}: {refusal_reason(str(path[-1]), _SUPPORTED)}"
    elif "sentence" in context:
        message = f"{_field(path)}: {context['sentence']}."
    else:
        message = f"{_field(path)} {_RULES.get(first['type'], 'is not valid').format(**context)}. /docs describes the field."
    return error_answer(400, message, param=".".join(map(str, path)), code="invalid_value")


def _field(path: Sequence[str | int]) -> str:
    """The readable name of a field.

    >>> _field(["request", "words", 0]), _field(["messages", 11, "content"]), _field(["n"])
    ('words: the first', 'messages: number 12: content', 'n')
    """
    names = path[1:] if path[0] == "request" and len(path) > 1 else path
    return ": ".join(_ordinal(name) if isinstance(name, int) else name for name in names)


def _ordinal(place: int) -> str:
    return f"the {_ORDINALS[place]}" if place < len(_ORDINALS) else f"number {place + 1}"
