"""A camera's stream for benchmarks: H.264 of 1080p25 in MPEG-TS over HTTP, in real time."""

import subprocess
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, Self

from tests.benchmarks.material import BadInputError

FPS: Final = 25
_CLIP_S: Final = 20
_MBIT: Final = 4


def encode(clip: Path, target: Path, keyframes_every_s: float) -> Path:
    """Write 20 s of the clip as a camera would send it: 1920x1080, 4 Mbit/s, with a sensor's noise
    and without B frames."""
    interval = str(round(keyframes_every_s * FPS))
    command = [
        "ffmpeg", "-v", "error", "-y", "-stream_loop", "-1", "-i", str(clip), "-t", str(_CLIP_S),
        "-vf", f"fps={FPS},scale=1920:1080,noise=alls=6:allf=t", "-pix_fmt", "yuv420p",
        "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "main", "-bf", "0",
        "-b:v", f"{_MBIT}M", "-maxrate", f"{_MBIT}M", "-bufsize", f"{2 * _MBIT}M",
        "-g", interval, "-keyint_min", interval, "-sc_threshold", "0", "-an", str(target),
    ]  # fmt: skip
    if subprocess.run(command, check=False).returncode:
        raise BadInputError(f"{clip}: ffmpeg cannot make a stream of it")
    return target


class LiveStream:
    """Serves an MPEG-TS file again and again, each client from its start and in real time.

    A client that is given less processor time than it needs slows its stream down. `sent_s` is
    therefore the unit of work: how many seconds of video the newest client was sent.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bytes_per_s = path.stat().st_size / _CLIP_S
        self._sent = 0
        stream = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "video/mp2t")
                self.end_headers()
                with suppress(OSError):
                    stream._send(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/live.ts"

    @property
    def sent_s(self) -> float:
        return self._sent / self._bytes_per_s

    def forget(self) -> None:
        """Count from 0 again: no client is there at the moment."""
        self._sent = 0

    def _send(self, request: BaseHTTPRequestHandler) -> None:
        paced = ["ffmpeg", "-v", "error", "-re", "-stream_loop", "-1", "-i", str(self._path)]
        muxed = ["-c", "copy", "-f", "mpegts", "-muxdelay", "0", "-flush_packets", "1", "-"]
        with subprocess.Popen([*paced, *muxed], stdout=subprocess.PIPE, bufsize=0) as sender:
            assert sender.stdout is not None
            try:
                while part := sender.stdout.read(65536):
                    request.wfile.write(part)
                    self._sent += len(part)
            finally:
                sender.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
