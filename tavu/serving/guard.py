"""What every request passes before the app sees it: hosts and origins, keys, size limits; and the security headers of every answer.

Each request is logged in one line: method, path, status and time, never its content.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from starlette.responses import RedirectResponse, Response

from tavu.serving.callers import Callers
from tavu.serving.errors import Refusal
from tavu.serving.keys import Keys
from tavu.serving.limits import Limits
from tavu.serving.metrics import Metrics

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("tavu.serving")

OPEN_TO_ALL = {"/", "/healthz", "/docs", "/openapi.json"}
"""Paths that need no key. Nor do the page's files: they say nothing of the model, and the page must load before its user can enter a key."""
PARTS = "/page/"
REPORTS = "/studio/report/"
"""Opened by a ticket in the path, since an iframe cannot send a key."""
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
REPORT_CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}


class Guard:
    """ASGI middleware that checks each request, then hands it to the app."""

    def __init__(
        self,
        app: App,
        *,
        keys: Keys,
        limits: Limits,
        metrics: Metrics,
        paths: frozenset[str],
        callers: Callers,
        root_path: str,
        end_all: Callable[[], None],
    ):
        self._app, self._keys, self._limits, self._metrics, self._paths = app, keys, limits, metrics, paths
        self._callers, self._root_path = callers, root_path
        self.end_all = end_all
        """Called when the server is told to stop, early enough for the texts under way to be answered."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        begun, status = time.monotonic(), 499  # unless an answer begins: the client left before
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        path = self._path(scope)
        method = scope["method"] if scope["method"] in _METHODS else "?"

        async def send_guarded(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                csp = REPORT_CSP if path.startswith(REPORTS) else CSP
                more = {"content-security-policy": csp} | _HEADERS | self._callers.cors(headers)
                message = {**message, "headers": [*message["headers"], *((name.encode(), value.encode("latin-1")) for name, value in more.items())]}
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        try:
            self._callers.check(headers)
            if method == "OPTIONS" and b"origin" in headers and b"access-control-request-method" in headers:
                return await Response(status_code=204, headers=self._callers.preflight(headers))(scope, receive, send_guarded)
            if self._root_path and scope["path"] == self._root_path:
                return await RedirectResponse(f"{self._root_path}/")(scope, receive, send_guarded)  # so that the page's relative links resolve
            self._check_key(headers, path)
            receive_body = await self._whole_body(scope, receive)
            await self._app(self._asked(scope, path), receive_body, send_guarded)
        except Refusal as refusal:
            await refusal.answer()(scope, receive, send_guarded)
        finally:
            known = path if path in self._paths else "other"
            self._metrics.requests.labels(known, str(status)).inc()
            log.info("%s %s %d %.3f s", method, known, status, time.monotonic() - begun)

    def _path(self, scope: Scope) -> str:
        """The path without the prefix at which a proxy serves this app, whether or not the proxy strips it."""
        path: str = scope["path"]
        return path.removeprefix(self._root_path) if path.startswith(f"{self._root_path}/") else path

    def _asked(self, scope: Scope, path: str) -> Scope:
        """The request for the app: HEAD becomes GET, as its answer without the body (RFC 9110, section 9.3.2), and every body counts as JSON."""
        headers = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
        return {
            **scope,
            "method": "GET" if scope["method"] == "HEAD" else scope["method"],
            "root_path": self._root_path,
            "path": self._root_path + path,
            "headers": [*headers, (b"content-type", b"application/json")],
        }

    def _check_key(self, headers: Mapping[bytes, str], path: str) -> None:
        """Raises Refusal where a key is needed and none of the right ones was sent."""
        if path in OPEN_TO_ALL or path.startswith((PARTS, REPORTS)):
            return
        scheme, _, key = headers.get(b"authorization", "").partition(" ")
        if not self._keys.opens(key.strip() if scheme.lower() == "bearer" else None):
            problem = "This API key is not valid here" if key else "No API key was given"
            message = f"{problem}. Send the one that was shown when the server was first started, as in Authorization: Bearer tavu-..."
            raise Refusal(401, message, "invalid_api_key", {"www-authenticate": "Bearer"})

    async def _whole_body(self, scope: Scope, receive: Receive) -> Receive:
        """A receive that replays the body, which has been read. Raises Refusal when it is too large or takes too long to arrive."""
        most = self._limits.body_bytes
        too_large = Refusal(
            413, f"The request body has more than {most:,} bytes, the maximum. Send a smaller one.", "too_large", {"connection": "close"}
        )
        announced = dict(scope["headers"]).get(b"content-length", b"")
        if announced.isdigit() and int(announced) > most:
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
            raise Refusal(408, "The request body took too long to arrive. Send it without pauses.", "too_slow", {"connection": "close"}) from None
        replayed = False

        async def replay() -> MutableMapping[str, Any]:
            nonlocal replayed
            if replayed or not last:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        return replay
