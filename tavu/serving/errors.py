"""Mistakes of a client, in OpenAI's form: what, got, expected, what to do next; never an echo of what it sent."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


def error_answer(
    status: int, message: str, *, param: str | None = None, code: str | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return JSONResponse(body, status, dict(headers or {}))


def invalid_request(errors: Sequence[Mapping[str, Any]]) -> JSONResponse:
    """The answer to a body that pydantic refuses: its first fault, by name and rule, without the value."""
    first = errors[0]
    if first["type"] == "json_invalid":
        return error_answer(400, "The body is not valid JSON. Send a JSON object, with Content-Type: application/json.", code="invalid_json")
    where = [str(part) for part in first["loc"] if part != "body"]
    param = ".".join(where)[:200] if first["type"] != "extra_forbidden" else None
    if first["type"] == "extra_forbidden":
        message = "The body has a field that this server does not know. /docs lists those that it knows."
    else:
        rule = str(first["msg"])
        message = f"{param or 'The body'}: {rule[:1].lower()}{rule[1:]}. /docs tells what is expected."
    return error_answer(400, message, param=param, code="invalid_value")
