"""An RTSP camera that answers as a test says: one that is hostile, or wants a password its way."""

import hashlib
import re
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Final, Self

SDP: Final = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
    b"a=rtpmap:96 H264/90000\r\na=control:track1\r\n"
)

Answer = str | bytes
"""Status and fields as text, such as "200 OK\\r\\nSession: 1", or a whole response as bytes."""

Answering = Callable[[str, str], Answer]


def usual(method: str, _: str = "") -> Answer:
    """What a sound camera says, as far as PLAY, after which it ends the connection."""
    if method == "DESCRIBE":
        return "200 OK\r\nContent-Type: application/sdp\r\n\r\n" + SDP.decode()
    transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n" if method == "SETUP" else ""
    return f"200 OK\r\nSession: 1\r\n{transport}"


class RtspCamera:
    """Listens on the loopback; `answer` gets method and Authorization of a request.

    `requests`: what was asked, whole. `tls`: of a camera at rtsps.
    """

    def __init__(self, answer: Answering = usual, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[str] = []
        camera = self

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError):
                    secured = tls.wrap_socket(self.request, server_side=True) if tls else None
                    with secured or self.request as connection:
                        self.talk(connection)

            def talk(self, connection: socket.socket) -> None:
                buffer = b""
                while data := connection.recv(1 << 16):
                    buffer += data
                    while b"\r\n\r\n" in buffer:
                        head, _, buffer = buffer.partition(b"\r\n\r\n")
                        connection.sendall(camera._answer(head.decode(errors="replace")))
                        if camera.methods[-1] == "PLAY":
                            return

        self._answering = answer
        self._server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def url(self, credentials: str = "", scheme: str = "rtsp") -> str:
        at = f"{credentials}@" if credentials else ""
        return f"{scheme}://{at}127.0.0.1:{self.port}/stream"

    @property
    def methods(self) -> list[str]:
        return [request.partition(" ")[0] for request in self.requests]

    def _answer(self, request: str) -> bytes:
        self.requests.append(request)
        answer = self._answering(request.partition(" ")[0], field(request, "Authorization"))
        if isinstance(answer, bytes):
            return answer.replace(b"{cseq}", field(request, "CSeq").encode())
        head, _, body = answer.partition("\r\n\r\n")
        return (
            f"RTSP/1.0 {head.strip()}\r\nCSeq: {field(request, 'CSeq')}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def field(request: str, name: str) -> str:
    """A field of a request, or nothing."""
    found = re.search(rf"(?im)^{name}: *(.*?)\r?$", request)
    return found[1] if found else ""


def is_right_digest(authorization: str, method: str, user: str, password: str) -> bool:
    """Whether the response is what RFC 7616 makes of the other parameters."""
    given = {
        name: a or b for name, a, b in re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]+))', authorization)
    }
    algorithm = given.get("algorithm", "MD5").lower().replace("-256", "256").replace("sha-", "sha")

    def digest(*parts: str) -> str:
        return hashlib.new(algorithm.replace("-", ""), ":".join(parts).encode()).hexdigest()

    middle = [given["nc"], given["cnonce"], given["qop"]] if "qop" in given else []
    secret = digest(user, given["realm"], password)
    wanted = digest(secret, given["nonce"], *middle, digest(method, given["uri"]))
    return bool(given["username"] == user and given["response"] == wanted)
