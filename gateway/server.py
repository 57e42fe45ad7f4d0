"""uvicorn as the gateway runs it: its socket, limits and shutdown."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.connections import BACKLOG, IdleConnections, max_connections
from gateway.errors import error
from gateway.middleware import SECURITY_HEADERS
from service import listening

_SEND_BUFFER: Final = 256 << 10
"""Send buffer for a slow client: data in a larger one would be older when it is read."""
_TCP: Final = {
    "TCP_USER_TIMEOUT": 30_000,
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 4,
}
"""A client that acknowledges nothing for 30 s (in ms) is disconnected; an idle connection whose
client is gone is closed after as long (in s)."""
_IDLE_S: Final = 5
"""A connection without a complete request for this long is closed."""
_STOP_S: Final = 1.0
"""How long open responses may take to end before their connections are closed."""


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises OSError, which names the address."""
    listener = listening.listen(host, port)
    # Connections inherit them all.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _TCP.items():
        if hasattr(socket, name):
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return listener


class _TimeoutProtocol(H11Protocol):
    """uvicorn's protocol with time limits and a limit of idle connections.

    Without them it waits indefinitely for a late or incomplete request.
    """

    idle: IdleConnections
    max_connections: int
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Expect a request."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            self.idle.drop_one()
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Expect the rest of a request that has come in part."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Expect the next request."""
        super().on_response_complete()
        self._watch()

    def is_flushed(self) -> bool:
        """Return whether nothing is left to be sent."""
        return self.transport.get_write_buffer_size() == 0

    def drop(self) -> None:
        """Close at once."""
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        super().connection_lost(exc)
        self.idle.remove(self)
        if self._late is not None:
            self._late.cancel()

    def send_400_response(self, msg: str) -> None:
        """Answer an invalid request like other errors; the application never sees it."""
        answer = error(HTTPStatus.BAD_REQUEST, msg)
        answer.headers.update({**SECURITY_HEADERS, "Connection": "close"})
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\n"
            + b"".join(b"%s: %s\r\n" % header for header in answer.raw_headers)
            + b"\r\n"
            + bytes(answer.body)
        )
        self.transport.close()

    def _watch(self) -> None:
        """Close the connection after a time, unless a request is being answered.

        More of the same request does not extend the time.
        """
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            self.idle.add(self, self.client[0] if self.client else "")
            self._late = self._late or self.loop.call_later(
                self.timeout_keep_alive, self.transport.close
            )
            return
        self.idle.remove(self)
        if self._late is not None:
            self._late.cancel()
            self._late = None


class Server(uvicorn.Server):
    """uvicorn, which ends streams before it stops, and whose signals only request the stop."""

    def __init__(
        self,
        app: Starlette,
        max_clients: int,
        end_streams: Callable[[], None],
        idle_s: int = _IDLE_S,
    ) -> None:
        most = max_connections(max_clients)

        class Protocol(_TimeoutProtocol):
            idle = IdleConnections()
            max_connections = most

        super().__init__(
            uvicorn.Config(
                app,
                http=Protocol,
                timeout_keep_alive=idle_s,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                # Addresses that clients claim would evade the rate limit.
                proxy_headers=False,
                backlog=BACKLOG,
                # Idle connections are closed before: all of these have a request.
                limit_concurrency=most + 2 * BACKLOG,
            )
        )
        self._end_streams = end_streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then shut down; do not wait for clients that read nothing."""
        self._end_streams()
        cut = asyncio.get_running_loop().call_later(_STOP_S, self._cut)
        await super().shutdown(sockets)
        cut.cancel()

    def _cut(self) -> None:
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Replace uvicorn's handlers, which raise the signal again after the shutdown."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        yield

    def _stop(self) -> None:
        self.should_exit = True
