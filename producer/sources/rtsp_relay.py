"""A relay between FFmpeg and one RTSP camera.

FFmpeg follows redirects of RTSP to any host, and sends user and password there. It therefore
connects to this relay on the loopback, which connects to the configured host only, adds user and
password, and writes each response itself: FFmpeg sees neither a redirect nor another address.
"""

import contextlib
import secrets
import socket
import threading
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote, urlsplit

from producer.sources.rtsp_connect import RefusedError
from producer.sources.rtsp_messages import MalformedMessageError
from producer.sources.rtsp_session import Session

_MAX_SILENCE_S: Final = 60.0
"""A camera that takes no request, or sends half a record of TLS, for so long is disconnected."""

Connect = Callable[[], socket.socket]


class RtspRelay:
    """Relays each connection to `url` to the camera at `source`.

    `connect`: connects to the camera; raises RefusedError.
    """

    def __init__(self, source: str, connect: Connect) -> None:
        self._connect = connect
        parts = urlsplit(source)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        self._credentials = (user, password) if parts.username is not None else None
        self._listener = socket.create_server(("127.0.0.1", 0))
        # Other users of this machine do not know the token.
        port, token = self._listener.getsockname()[1], secrets.token_hex(16)
        self._here = f"rtsp://127.0.0.1:{port}/{token}"
        self._there = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self.url = self._here + source.partition("://")[2].removeprefix(parts.netloc)
        self._clients: set[socket.socket] = set()
        self._reason = ""
        threading.Thread(target=self._accept, daemon=True).start()

    def reason(self) -> str | None:
        """Return why the newest connection was ended by the relay, None if it was not."""
        return self._reason or None

    def close(self) -> None:
        """End all connections."""
        for each in (self._listener, *self._clients):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it was closed
            while True:
                client, _ = self._listener.accept()
                self._clients.add(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._reason = ""
        with client:  # which FFmpeg sees closed when the reason is known
            try:
                with self._connect() as camera:
                    camera.settimeout(_MAX_SILENCE_S)
                    Session(client, camera, self._here, self._there, self._credentials).run()
            except RefusedError as error:
                self._reason = str(error)
            except MalformedMessageError:
                self._reason = "the camera's answer is not RTSP"
            except OSError:
                pass  # one side has ended, as the other side sees
        self._clients.discard(client)
