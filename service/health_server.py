"""/metrics, /healthz and /readyz on a separate port, served from a thread."""

import ipaddress
import socket
import threading
from collections.abc import Callable, Collection, Mapping
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import ClassVar, Final, Self, TypeAlias
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from service.health import Health
from service.limited_server import REQUEST_S, LimitedServer
from service.listening import listen


class HostCheck:
    """Check that a request's Host header names this machine, as a defence against DNS rebinding."""

    def __init__(self, names: Collection[str]) -> None:
        own = ("localhost", socket.gethostname())
        self._names = {name.strip().rstrip(".").lower() for name in (*own, *names)}

    def __call__(self, host: str | None) -> bool:
        """Return whether the header is allowed. None (HTTP/1.0) is: browsers always send it."""
        if host is None:
            return True
        try:
            name = (urlsplit(f"//{host.strip()}").hostname or "").rstrip(".")
        except ValueError:
            return False
        return name in self._names or name.endswith(".localhost") or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


_Answer: TypeAlias = tuple[int, bytes, str]
_TEXT: Final = "text/plain; charset=utf-8"


def _state(reason: str | None, degraded: str = "") -> _Answer:
    text = f"{reason or 'ok'}\n" + (f"degraded: {degraded}\n" if degraded else "")
    return 503 if reason else 200, text.encode(), _TEXT


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD for the paths that a subclass defines."""

    timeout = REQUEST_S  # of one read, and of sending the whole answer
    answers: ClassVar[Mapping[str, Callable[[], _Answer]]] = {}
    is_allowed: Callable[[str | None], bool]

    def do_GET(self) -> None:
        """Answer the request; HEAD gets no body."""
        status, body, content_type = self._answer()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server requires

    def _answer(self) -> _Answer:
        assert isinstance(self.server, LimitedServer)
        self.server.request_arrived(self.connection)
        if not self.is_allowed(self.headers["Host"]):
            return (
                403,
                b"unrecognised Host header: use an address, or set metrics_allowed_hosts\n",
                _TEXT,
            )
        answer = self.answers.get(self.path.partition("?")[0])
        return answer() if answer else (404, b"not found: /metrics, /healthz, /readyz\n", _TEXT)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in http.server
        """Log nothing: scrapes are frequent."""


class HealthServer:
    """Serves a registry and a Health until closed. Port 0 selects a free port, see `port`.

    `host` is an address or a name; `::` is every address. A request is answered if its Host is an
    IP address, localhost, this machine's name, `host`, or one of `allowed_hosts`. So a web page
    that points its own name at this machine can read nothing. Raises OSError, whose text names the
    address, if it cannot listen there.
    """

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        health: Health,
        allowed_hosts: Collection[str] = (),
    ) -> None:
        allowed = HostCheck((host, *allowed_hosts))

        class Handler(_Handler):
            answers: ClassVar = {
                "/metrics": lambda: (200, generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4),
                "/healthz": lambda: _state(health.not_alive()),
                "/readyz": lambda: _state(health.not_ready(), health.degraded()),
            }
            is_allowed = staticmethod(allowed)

        self._server = LimitedServer(listen(host, port), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
