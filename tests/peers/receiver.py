"""A real HTTP server for webhooks that answers as the test says."""

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Request:
    """What came: when (monotonic seconds), and of the body the JSON as well."""

    at: float
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.body)
        return event


@dataclass(frozen=True)
class Answer:
    """What goes back, after a while; None: never anything."""

    status: int | None = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    after_s: float = 0.0


class Receiver:
    """`answer` decides on each request, by its event; 200 unless the test sets it."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[Request] = []
        self.accepted: list[dict[str, Any]] = []
        """The events that were answered with 200."""
        self.answer: Callable[[Request], Answer] = lambda _: Answer()
        self._closed = threading.Event()
        self._connections: list[socket.socket] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                outer._connections.append(self.connection)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                # Names as HTTP has them: in any case.
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(time.monotonic(), self.path, headers, body)
                outer.requests.append(request)
                answer = outer.answer(request)
                if answer.status is None:
                    outer._closed.wait()
                    return
                time.sleep(answer.after_s)
                if answer.status == 200:
                    outer.accepted.append(request.event)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_: object) -> None:
                pass  # a client that went away

        self._server = Server(("127.0.0.1", port), Handler)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def ids(self) -> list[str]:
        return [event["id"] for event in self.accepted]

    def close(self) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        # Connections that are kept open would be served on.
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
