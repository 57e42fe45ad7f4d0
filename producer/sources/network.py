"""Network cameras: RTSP, and MJPEG over HTTP."""

import os
import time
from typing import Final

from emotion_streams.redaction import redact_url
from producer.source import Format, Picture, SourceUnavailable
from producer.sources.ffmpeg import FfmpegReader
from producer.stderr import NativeErrors

_OPEN_FASTER: Final = "fpsprobesize;0"
# Else FFmpeg watches twenty frames to guess a rate that nobody asks for, 1.4 s at 15 a second.


class NetworkSource:
    """An rtsp(s):// or http(s):// URL.

    `transport`: "tcp" or "udp", for RTSP. `errors`: what FFmpeg says on standard error, the only
    place where it tells why.
    """

    live = True

    def __init__(
        self,
        url: str,
        transport: str,
        open_timeout_s: float,
        read_timeout_s: float,
        errors: NativeErrors,
    ) -> None:
        self._url = url
        self._transport = transport
        self._open_timeout_s = open_timeout_s
        self._read_timeout_s = read_timeout_s
        self._errors = errors
        self._reader = FfmpegReader()

    def open(self) -> Format:
        """Connect. Raises SourceUnavailable with what FFmpeg gave as the reason."""
        # OpenCV reads the variable on each open; this process has no other source.
        os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = (
            f"rtsp_transport;{self._transport}|{_OPEN_FASTER}"
        )
        self._errors.clear()
        opened = self._reader.open(self._url, self._open_timeout_s, self._read_timeout_s)
        if opened is None:
            reason = self._errors.reason() or "FFmpeg finds no video there"
            raise SourceUnavailable(f"{redact_url(self._url)}: {reason}")
        self._errors.clear()
        return opened

    def grab(self) -> float | None:
        """Wait for the next frame. RTP tells its time; HTTP does not, and FFmpeg makes one up."""
        started = time.monotonic()
        grabbed = self._reader.grab()
        # After a timeout the decoder hands out what it had kept: an old frame, and no sign of life.
        if not grabbed or time.monotonic() - started >= self._read_timeout_s:
            reason = self._errors.reason() or "the stream ended"
            raise SourceUnavailable(f"{redact_url(self._url)}: {reason}")
        return self._reader.position_s() if self._url.lower().startswith("rtsp") else None

    def retrieve(self) -> Picture:
        """The frame that was grabbed."""
        return self._reader.retrieve()

    def close(self) -> None:
        """Disconnect."""
        self._reader.close()
