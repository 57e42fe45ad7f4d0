"""An HTTP server of threads that strangers cannot exhaust."""

import logging
import math
import socket
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

MAX_CONNECTIONS: Final = 32
"""Maximum number of connections. A further one ends the oldest."""

REQUEST_S: Final = 5.0
"""How long a client may take to send its request."""

_MAX_THREADS: Final = 2 * MAX_CONNECTIONS
"""Of connections, and of requests in work whose connection was ended."""

log = logging.getLogger(__name__)


class LimitedServer(ThreadingHTTPServer):
    """A server on a socket that is already listening.

    Each connection has a thread. Its handler must call `request_arrived`.
    """

    daemon_threads = True

    def __init__(self, listener: socket.socket, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(listener.getsockname(), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_address = listener.getsockname()
        self._lock = threading.Lock()
        # Of each thread's connection, the oldest first: the time by which the request must have
        # arrived, None if the connection was ended.
        self._deadlines: dict[Any, float | None] = {}

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a new connection in a thread."""
        with self._lock:
            alive = [each for each, deadline in self._deadlines.items() if deadline is not None]
            if len(alive) >= MAX_CONNECTIONS:
                self._end(alive[0])
            accepted = len(self._deadlines) < _MAX_THREADS
            if accepted:
                self._deadlines[request] = time.monotonic() + REQUEST_S
        if accepted:
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def request_arrived(self, request: Any) -> None:
        """End the time limit of a request that is complete."""
        with self._lock:
            if self._deadlines.get(request) is not None:
                self._deadlines[request] = math.inf

    def service_actions(self) -> None:
        """End the connections whose request is late. `serve_forever` calls this continually."""
        now = time.monotonic()
        with self._lock:
            for request, deadline in self._deadlines.items():
                if deadline is not None and deadline < now:
                    self._end(request)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, as the last act of its thread."""
        super().shutdown_request(request)
        with self._lock:
            self._deadlines.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - its names
        """Log a defect. A connection that ended early is none."""
        error = sys.exception()
        if not isinstance(error, OSError):
            log.error("a request failed", exc_info=error)

    def _end(self, request: Any) -> None:
        """End a connection. Its thread notices that at its next read or write, and ends."""
        self._deadlines[request] = None
        with suppress(OSError):  # it may have ended already
            request.shutdown(socket.SHUT_RDWR)
