"""An HTTP camera that serves one picture per request, with validators and authentication."""

import base64
import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.request import parse_http_list, parse_keqv_list

NONCE = "b5a1f7"


@dataclass
class Settings:
    """How the server answers. May be changed while it runs.

    `picture` returns the current picture. `validator`: "etag", "modified" or none. `auth`: "basic",
    or the algorithm of Digest. `credentials`: user:password. `status`: of every answer, 0 for what
    is right. `wait_s`: before each answer. `headers`: in addition, or instead.
    """

    picture: Callable[[], bytes]
    kind: str = "image/jpeg"
    validator: str = ""
    auth: str = ""
    credentials: str = "joe:p@ss/w0rd-Zq7"
    status: int = 0
    wait_s: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    nonce: str = NONCE


class SnapshotServer:
    """Serves /snap.jpg over connections that are kept open. `requests`: status and headers of
    each; `connections`: how many there were."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.requests: list[tuple[int, Message]] = []
        self.connections = 0
        camera = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                camera.connections += 1

            def do_GET(self) -> None:
                now = camera.settings
                time.sleep(now.wait_s)
                picture = now.picture()
                etag = f'"{hashlib.sha256(picture).hexdigest()[:12]}"'
                modified = "Sat, 28 Nov 2026 10:00:00 GMT"
                own: dict[str, str] = {"Content-Type": now.kind}
                if now.validator == "etag":
                    own["ETag"] = etag
                if now.validator == "modified":
                    own["Last-Modified"] = modified
                asked = (self.headers.get("If-None-Match"), self.headers.get("If-Modified-Since"))
                status = now.status or 200
                if self.path != "/snap.jpg":
                    status = 404
                elif now.auth and not _is_allowed(self.headers.get("Authorization", ""), now):
                    status = 401
                    own["WWW-Authenticate"] = _challenge(now)
                elif asked == {"etag": (etag, None), "modified": (None, modified)}.get(
                    now.validator
                ):
                    status = 304
                camera.requests.append((status, self.headers))
                body = picture if status == 200 else b"" if status == 304 else b"refused"
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **own, **now.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.port = int(self.server.server_address[1])
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))

    def url(self, credentials: str = "") -> str:
        return f"http://{credentials}{'@' if credentials else ''}127.0.0.1:{self.port}/snap.jpg"

    def statuses(self) -> list[int]:
        return [status for status, _ in self.requests]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


def _challenge(settings: Settings) -> str:
    if settings.auth == "basic":
        return 'Basic realm="camera"'
    return f'Digest realm="camera", nonce="{settings.nonce}", qop="auth", algorithm={settings.auth}'


def _is_allowed(authorization: str, settings: Settings) -> bool:
    kind, _, rest = authorization.partition(" ")
    if settings.auth == "basic":
        expected = base64.b64encode(settings.credentials.encode()).decode()
        return (kind, rest) == ("Basic", expected)
    if kind != "Digest":
        return False
    given = parse_keqv_list(parse_http_list(rest))
    user, _, password = settings.credentials.partition(":")

    def digest(text: str) -> str:
        name = settings.auth.lower().replace("-", "")
        return hashlib.new(name, text.encode()).hexdigest()

    secret = digest(f"{user}:camera:{password}")
    request = digest(f"GET:{given['uri']}")
    parts = (secret, settings.nonce, given["nc"], given["cnonce"], "auth", request)
    return given["username"] == user and given["response"] == digest(":".join(parts))
