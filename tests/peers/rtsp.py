"""The RTSP server of the tests, as a process that can be frozen, killed and brought back."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Self

import pytest

from tests.servers import free_port

# The system's own, whose packages hold GStreamer's bindings.
_PYTHON = "/usr/bin/python3"
_PACKAGES = (
    "gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good "
    "gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly python3-gi"
)
_PROBE = (
    "import gi; gi.require_version('GstRtspServer', '1.0'); "
    "from gi.repository import Gst, GstRtspServer; Gst.init(None); "
    "assert all(Gst.ElementFactory.find(n) for n in ('x264enc', 'jpegenc', 'rtph264pay'))"
)


def has_gstreamer() -> bool:
    """Whether an RtspServer can run here."""
    return Path(_PYTHON).exists() and (
        subprocess.run([_PYTHON, "-c", _PROBE], capture_output=True, check=False).returncode == 0
    )


def require_gstreamer() -> None:
    """Skip the test where GStreamer is missing; where all must run, fail."""
    if not has_gstreamer():
        reason = f"no RTSP server; apt-get install {_PACKAGES}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


class RtspServer:
    """Serves /h264 and /mjpeg, 320 x 240 at 15 frames a second."""

    def __init__(self, *credentials: str) -> None:
        self.port = free_port()
        self._credentials = credentials
        self._start()

    def url(self, path: str, credentials: str = "") -> str:
        at = f"{credentials}@" if credentials else ""
        return f"rtsp://{at}127.0.0.1:{self.port}/{path}"

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def restart(self) -> None:
        self._start()

    def _start(self) -> None:
        program = Path(__file__).with_name("rtsp_server.py")
        self._process = subprocess.Popen(
            [_PYTHON, str(program), str(self.port), *self._credentials], stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
