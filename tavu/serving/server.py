"""The HTTP server around the app: its socket, its timeouts for slow clients, its limits on connections, and how it shuts down."""

import asyncio
import logging
import socket
import time
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tavu.errors import TavuError
from tavu.serving.guard import Guard
from tavu.serving.limits import Limits

log = logging.getLogger("tavu.serving")
_LATE = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_CROWDED = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\nretry-after: 1\r\n\r\n"
WRITE_BUFFER = 32 * 1024
"""Bytes buffered in this process for one client; the socket buffer of the system holds about as many again."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises TavuError when the address is not available."""
    host, listener = host.strip("[]"), None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, WRITE_BUFFER)  # of each connection that it accepts
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        if listener is not None:
            listener.close()
        raise TavuError(f"{host} port {port} cannot be listened at: {error.strerror}. Name another with --host or --port.") from None
    return listener


def make_server(app: Guard, limits: Limits) -> uvicorn.Server:
    """A server to run with listening sockets. On SIGINT or SIGTERM it lets texts under way end, and cuts them off in time."""

    class Connection(_Connection):
        bounds = limits

    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=limits.shutdown_seconds,
        h11_max_incomplete_event_size=32 * 1024,
    )
    return _Server(config, app, limits)


class _Server(uvicorn.Server):
    """A server that ends the texts under way before uvicorn cancels their requests, which would leave answers incomplete."""

    def __init__(self, config: uvicorn.Config, app: Guard, limits: Limits):
        super().__init__(config)
        self._app, self._seconds = app, limits.shutdown_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._hurries = False

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._end(0.6 * self._seconds, 0.9 * self._seconds)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at the first signal, end all texts at once at the second, and exit at the third."""
        if self._loop is not None and not self._hurries:
            self._hurries = True
            self._loop.call_soon_threadsafe(self._end, 0.0, 3.0)
        else:
            super().handle_exit(sig, frame)

    def _end(self, texts_after: float, answers_after: float) -> None:
        """End the texts after `texts_after` seconds, and close the connections that are still open after `answers_after`."""
        assert self._loop is not None
        self._loop.call_later(texts_after, self._app.end_all)
        self._loop.call_later(answers_after, self._close_all)

    def _close_all(self) -> None:
        for connection in self.server_state.connections:
            connection.transport.abort()


class _Connection(H11Protocol):
    """An HTTP connection with what uvicorn lacks: timeouts for a request's head and for reading the answer. Idle ones make room for new ones."""

    bounds: Limits
    connections: set["_Connection"]
    """All that the server has open."""
    _head_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _since = 0.0

    @property
    def is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        transport.set_write_buffer_limits(WRITE_BUFFER)
        self._since = time.monotonic()
        self._watch()
        others = [other for other in self._crowd() if other is not self]
        if others and not any(other.is_idle for other in others):
            self._give_up(_CROWDED)
        # not at once: others may have sent what is not read yet, and then are not idle
        asyncio.get_running_loop().call_later(0.05, self._make_room)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        if self._write_timer is not None:
            self._write_timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = asyncio.get_running_loop().call_later(self.bounds.write_seconds, self._abandon)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()

    def _abandon(self) -> None:
        log.info("a client read nothing for %g s and was disconnected", self.bounds.write_seconds)
        self.transport.abort()

    def _crowd(self) -> list["_Connection"]:
        """All connections from its address if these are too many; else all connections if these are too many; else none."""
        mine = [other for other in self.connections if other.client and self.client and other.client[0] == self.client[0]]
        everybody = list(self.connections) if len(self.connections) > self.bounds.connections else []
        return mine if len(mine) > self.bounds.connections_of_one else everybody

    def _make_room(self) -> None:
        """Close the connection of the crowd that has been idle longest; this one if all are busy."""
        crowd = [other for other in self._crowd() if not other.transport.is_closing()]
        idle = [other for other in crowd if other.is_idle]
        if idle:
            min(idle, key=lambda other: other._since)._give_up(b"")
        elif crowd:
            self.transport.abort()

    def _watch(self) -> None:
        """Start the timeout of a head: at its first byte, or on a new connection at once."""
        if not self.is_idle:
            self._stop_watching()
        elif self._head_timer is None and not self.transport.is_closing():
            self._head_timer = asyncio.get_running_loop().call_later(self.bounds.head_seconds, self._be_late)

    def _stop_watching(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _be_late(self) -> None:
        if not self.transport.is_closing():
            log.info("a request's head took more than %g s 408", self.bounds.head_seconds)
            self._give_up(_LATE)

    def _give_up(self, answer: bytes) -> None:
        self.transport.write(answer)
        self.transport.close()
