"""What every request passes before it is answered: who may ask, how much it may send, and what the answer lets a browser do.

One line of the log tells each request's method, path, status and time, never its content.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tavu.serving.errors import error_answer
from tavu.serving.keys import Keys
from tavu.serving.limits import Limits
from tavu.serving.metrics import Metrics

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("tavu.serving")

OPEN_TO_ALL = {"/", "/healthz", "/docs", "/openapi.json"}
"""And the page's parts: they say nothing of the model, and the page has to come before its user can give a key."""
PARTS = "/page/"
REPORTS = "/studio/report/"
"""Opened by a ticket in its path: a frame cannot send a key."""
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
REPORT_CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox"
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}


class Refusal(Exception):
    """An answer instead of the one that was asked for."""

    def __init__(self, status: int, message: str, code: str, headers: dict[str, str] | None = None):
        self.status, self.message, self.code, self.headers = status, message, code, headers or {}


class Guard:
    """The app behind these checks."""

    def __init__(self, app: App, *, keys: Keys, limits: Limits, metrics: Metrics, paths: frozenset[str], only_local: bool):
        self._app, self._keys, self._limits, self._metrics, self._paths = app, keys, limits, metrics, paths
        self._only_local = only_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        begun, status = time.monotonic(), 499  # the client left before an answer began
        is_head = scope["method"] == "HEAD"
        asked = {**scope, "method": "GET"} if is_head else scope  # a HEAD is a GET whose answer has no body (RFC 9110, section 9.3.2)

        async def send_guarded(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                csp = REPORT_CSP if scope["path"].startswith(REPORTS) else CSP
                more = [(name.encode(), value.encode()) for name, value in ({"content-security-policy": csp} | _HEADERS).items()]
                message = {**message, "headers": [*message["headers"], *more]}
            elif is_head:
                message = {**message, "body": b""}
            await send(message)

        try:
            self._check(scope)
            receive_all = await self._whole_body(scope, receive)
            await self._app(asked, receive_all, send_guarded)
        except Refusal as refusal:
            await error_answer(refusal.status, refusal.message, code=refusal.code, headers=refusal.headers)(scope, receive, send_guarded)
        finally:
            known = scope["path"] if scope["path"] in self._paths else "other"
            self._metrics.count("requests_total", labels=f'path="{known}",status="{status}"')
            log.info("%s %s %d %.3f s", scope["method"] if scope["method"].isalpha() else "?", known, status, time.monotonic() - begun)

    def _check(self, scope: Scope) -> None:
        """Raises Refusal for a stranger."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host, path = headers.get(b"host", ""), scope["path"]
        if self._only_local and _hostname(host) not in ("localhost", "127.0.0.1", "[::1]"):
            # a web page elsewhere can give this machine a name of its own (DNS rebinding) and then ask as if it were the studio
            raise Refusal(403, "This server answers to localhost only. Ask it by that name, or serve with an API key.", "wrong_host")
        origin = headers.get(b"origin")
        if origin is not None and origin.partition("://")[2] != host:
            raise Refusal(403, "Another site's page may not ask this server. Open the studio itself.", "wrong_origin")
        if path in OPEN_TO_ALL or path.startswith((PARTS, REPORTS)):
            return
        scheme, _, key = headers.get(b"authorization", "").partition(" ")
        if not self._keys.opens(key.strip() if scheme.lower() == "bearer" else None):
            told = "This is not one of its keys" if key else "No API key was given"
            message = f"{told}. Send the one that was shown when the server was first started, as in Authorization: Bearer tavu-..."
            raise Refusal(401, message, "invalid_api_key", {"www-authenticate": "Bearer"})

    async def _whole_body(self, scope: Scope, receive: Receive) -> Receive:
        """A receive whose body has come already. Raises Refusal when it is too large, or takes too long to come."""
        most = self._limits.body_bytes
        too_large = Refusal(413, f"The request has more than {most:,} bytes, which is the most. Send less.", "too_large", {"connection": "close"})
        said = dict(scope["headers"]).get(b"content-length", b"")
        if said.isdigit() and int(said) > most:
            raise too_large
        body, last = bytearray(), False
        try:
            async with asyncio.timeout(self._limits.head_seconds):
                while not last:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        break
                    body += message.get("body", b"")
                    last = not message.get("more_body", False)
                    if len(body) > most:
                        raise too_large
        except TimeoutError:
            raise Refusal(408, "The request took too long to come. Send it at once.", "too_slow", {"connection": "close"}) from None
        given = False

        async def receive_again() -> MutableMapping[str, Any]:
            nonlocal given
            if given or not last:
                return await receive()
            given = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        return receive_again


def _hostname(host: str) -> str:
    return host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
