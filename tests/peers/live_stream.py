"""A camera that serves a file as MPEG-TS over HTTP, at the rate of its timestamps."""

import subprocess
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self


class LiveStream:
    """Serves the file to each client from its start, again and again. `speed`: times real time.

    A client that is given less processor time than it needs slows its stream down. `sent_bytes`
    says how much of the stream all clients were sent.
    """

    def __init__(self, path: Path, speed: float = 1.0) -> None:
        self._path = path
        self._speed = str(speed)
        self.clients = 0
        self.sent_bytes = 0
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "video/mp2t")
                self.end_headers()
                camera.clients += 1
                with suppress(OSError):  # the client left
                    camera._send(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/live.ts"

    def _send(self, request: BaseHTTPRequestHandler) -> None:
        paced = ["ffmpeg", "-v", "error", "-readrate", self._speed, "-stream_loop", "-1"]
        muxed = ["-c", "copy", "-f", "mpegts", "-muxdelay", "0", "-flush_packets", "1", "-"]
        command = [*paced, "-i", str(self._path), *muxed]
        with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as sender:
            assert sender.stdout is not None
            try:
                while part := sender.stdout.read(65536):
                    request.wfile.write(part)
                    self.sent_bytes += len(part)
            finally:
                sender.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
