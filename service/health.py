"""/metrics, /healthz and /readyz on a port of their own, served from a thread."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

STALL_S: Final = 30.0
"""A process whose loop has not turned for this long is not alive, whatever its threads answer."""


class Health:
    """Whether the process is alive and ready. Any thread may tell it, any may ask."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {"start": "starting"}
        self._degraded: dict[str, str] = {}
        self._lock = threading.Lock()
        self._beat = time.monotonic()

    def beat(self) -> None:
        """The main loop turns; to be called at least every few seconds."""
        self._beat = time.monotonic()

    def started(self) -> None:
        """Starting is over."""
        self.set("start", None)

    def set(self, part: str, reason: str | None) -> None:
        """Say why a part of the process is not ready, or None that it is."""
        with self._lock:
            if reason is None:
                self._reasons.pop(part, None)
            else:
                self._reasons[part] = reason

    def degrade(self, part: str, reason: str | None) -> None:
        """Say what does not work while the process is ready all the same, or None that it does."""
        with self._lock:
            if reason is None:
                self._degraded.pop(part, None)
            else:
                self._degraded[part] = reason

    def degraded(self) -> str:
        """What does not work while the process is ready; empty if everything does."""
        with self._lock:
            return "; ".join(self._degraded.values())

    def not_ready(self) -> str | None:
        """Why the process is not ready, or None."""
        with self._lock:
            return "; ".join(self._reasons.values()) or None

    def not_alive(self) -> str | None:
        """Why the process is not alive, or None. While it starts it always is: a model may take
        minutes to warm on a GPU, and no loop turns yet."""
        if "start" in self._reasons:
            return None
        stalled = time.monotonic() - self._beat
        return f"the main loop has stalled for {stalled:.0f} s" if stalled > STALL_S else None


class HealthServer:
    """Serves a registry and a Health until closed. Port 0 takes a free one, see `port`.

    Raises OSError where the port cannot be had.
    """

    def __init__(self, host: str, port: int, registry: CollectorRegistry, health: Health) -> None:
        class Handler(BaseHTTPRequestHandler):
            timeout = 5  # a client that sends nothing must not hold a thread

            def do_GET(self) -> None:
                if self.path == "/metrics":
                    self._answer(200, generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4)
                elif self.path == "/healthz":
                    self._answer_state(health.not_alive())
                elif self.path == "/readyz":
                    self._answer_state(health.not_ready(), health.degraded())
                else:
                    self._answer(404, b"not found: /metrics, /healthz, /readyz\n", "text/plain")

            def _answer_state(self, reason: str | None, degraded: str = "") -> None:
                text = f"{reason}\n" if reason else "ok\n"
                if degraded:
                    text += f"degraded: {degraded}\n"
                self._answer(503 if reason else 200, text.encode(), "text/plain; charset=utf-8")

            def _answer(self, status: int, body: bytes, content_type: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
                """Scrapes are no news."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
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
