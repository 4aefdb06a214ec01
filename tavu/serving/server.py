"""A server from its first address to its last answer: where it may listen, who sends too slowly, and how it stops."""

import asyncio
import ipaddress
import logging
import socket
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tavu.errors import TavuError
from tavu.serving.guard import App
from tavu.serving.limits import Limits

log = logging.getLogger("tavu.serving")
_LATE = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


def is_loopback(host: str) -> bool:
    """Whether only this machine's own programs reach a host of that name."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises TavuError when the address cannot be had."""
    host, listener = host.strip("[]"), None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        if listener is not None:
            listener.close()
        raise TavuError(f"{host} port {port} cannot be listened at: {error.strerror}. Name another with --host or --port.") from None
    return listener


def make_server(app: App, limits: Limits) -> uvicorn.Server:
    """A server to run with sockets that listen. Told to stop (SIGINT or SIGTERM), it gives texts under way a while to end."""

    class Patient(_Punctual):
        seconds = limits.head_seconds

    config = uvicorn.Config(
        app,
        http=Patient,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        limit_concurrency=limits.connections,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=limits.shutdown_seconds,
        h11_max_incomplete_event_size=32 * 1024,
    )
    return uvicorn.Server(config)


class _Punctual(H11Protocol):
    """HTTP whose heads must come in time: uvicorn alone would wait for ever for one that comes a byte a minute."""

    seconds: float
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Count the time of a head from its first byte, and of a new connection from its start."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_watching()
        elif self._timer is None and not self.transport.is_closing():
            self._timer = asyncio.get_running_loop().call_later(self.seconds, self._give_up)

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            log.info("a request's head took more than %g s 408", self.seconds)
            self.transport.write(_LATE)
            self.transport.close()
