"""An HTTP camera of the tests' own: multipart MJPEG, with Basic authentication where asked."""

import base64
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class MjpegServer:
    """Serves the pictures in turn, `fps` a second, at /video. `frozen` holds them back. With
    `refusal`, every request gets this status."""

    def __init__(
        self,
        jpegs: list[bytes],
        fps: float = 20,
        credentials: str = "",
        port: int = 0,
        refusal: int = 0,
    ) -> None:
        self.frozen = threading.Event()
        self._ended = threading.Event()
        expected = f"Basic {base64.b64encode(credentials.encode()).decode()}"
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if refusal:
                    self.send_error(refusal)
                elif credentials and self.headers.get("Authorization") != expected:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                    self.end_headers()
                elif self.path.partition("?")[0] != "/video":
                    self.send_error(404)
                else:
                    camera._stream(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._jpegs = jpegs
        self._interval_s = 1 / fps
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/video"

    def _stream(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        request.end_headers()
        index = 0
        while not self._ended.wait(self._interval_s):
            if self.frozen.is_set():
                continue
            jpeg = self._jpegs[index % len(self._jpegs)]
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            try:
                request.wfile.write(head.encode() + jpeg + b"\r\n")
            except OSError:
                return
            index += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
