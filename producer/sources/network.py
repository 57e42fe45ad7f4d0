"""Network cameras: RTSP, and MJPEG over HTTP."""

import socket
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from emotion_streams.redaction import redact_url
from producer.native import NativeStderr
from producer.source import Format, Picture, SourceUnavailableError
from producer.sources import rtsp_connect, tls
from producer.sources.proxy import through_proxy
from producer.sources.rtsp_relay import RtspRelay
from producer.sources.stream_reader import Decoding, StreamReader

_COMMON: Final = {
    # Otherwise FFmpeg reads twenty frames to estimate a rate that is not used: 1.4 s at 15 fps.
    "fpsprobesize": "0",
}
# Data from a camera must not select files, hosts or parsers. The lists therefore exclude playlists,
# and protocols such as crypto, concat and file. HTTP redirects are not followed. FFmpeg has no
# option against those of RTSP; the relay stops them.
_RTSP: Final = {
    "protocol_whitelist": "tcp,udp,rtp,rtsp",
    "format_whitelist": "rtsp,rtp,sdp,mpegts",
}
_HTTP: Final = {
    "protocol_whitelist": "tcp,tls,http,https,httpproxy",
    "format_whitelist": "mpjpeg,mjpeg,jpeg_pipe,mpegts,flv,matroska,webm,mov,mp4,h264,hevc",
    "max_redirects": "0",
}
# Read a sequence of JPEGs, and ignore the types that the headers of the parts name.
_PARTS: Final = {"input_format": "mjpeg"}

_SHORTEST_S: Final = 0.2
_OF_OPEN_TIMEOUT: Final = 0.9


class NetworkSource:
    """A stream at an rtsp(s):// or http(s):// URL.

    `transport`: "tcp" or "udp", for RTSP. `tls_verify`: whether the certificate of an encrypted
    connection is checked before user and password are sent. `errors`: FFmpeg's output on standard
    error, the only place where FFmpeg reports its reasons.
    """

    live = True

    def __init__(
        self,
        url: str,
        transport: str,
        open_timeout_s: float,
        read_timeout_s: float,
        errors: NativeStderr,
        *,
        tls_verify: bool = True,
        decoding: Decoding = Decoding(),  # noqa: B008 - it is immutable
    ) -> None:
        self._url = url
        self._parts = urlsplit(url)
        self._is_rtsp = self._parts.scheme.lower().startswith("rtsp")
        self._options = dict(_COMMON)
        if self._is_rtsp:
            self._options |= _RTSP | {"rtsp_transport": transport}
        else:
            self._options |= _HTTP
        self._tls_verify = tls_verify
        if self._parts.scheme.lower() == "https":
            self._options |= tls.ffmpeg_options(verify=tls_verify)
        self._relay: RtspRelay | None = None
        self._timeouts = (open_timeout_s, read_timeout_s)
        self._errors = errors
        self._reader = StreamReader(decoding, live=True)
        self._deadline = 0.0

    def open(self) -> Format:
        """Connect. Raises SourceUnavailableError with the reason that FFmpeg reports."""
        self._deadline = time.monotonic() + self._timeouts[0]
        self.close()
        if self._is_rtsp:
            self._relay = RtspRelay(self._url, self._connect_camera)
        elif self._parts.scheme.lower() == "https" and self._tls_verify:
            self._check_address()
        opened = self._connect(self._options)
        if opened is None and not self._is_rtsp and self._errors.reason() is None:
            # The server answered, but its parts are not of type image/jpeg. Browsers accept that.
            opened = self._connect(self._options | _PARTS)
        if opened is None:
            raise self._unavailable(self._reason() or "FFmpeg finds no video at this URL")
        self._errors.clear()
        return opened

    def grab(self) -> float | None:
        """Wait for the next frame. Raises SourceUnavailableError.

        Return the frame's RTP timestamp in seconds. Return None for HTTP, because HTTP carries no
        timestamps and FFmpeg invents them.
        """
        started = time.monotonic()
        grabbed = self._reader.grab()
        # After a timeout the decoder returns a frame that it had buffered: an old frame, which does
        # not show that the camera is alive.
        if not grabbed or time.monotonic() - started >= self._timeouts[1]:
            raise self._unavailable(self._reason() or "the stream ended")
        return self._reader.position_s() if self._is_rtsp else None

    def retrieve(self) -> Picture:
        """Return the grabbed frame. Raises UndecodableFrameError."""
        return self._reader.retrieve()

    @property
    def position_s(self) -> float:
        """The grabbed frame's timestamp, which FFmpeg invents for formats that have none."""
        return self._reader.position_s()

    @property
    def key_frame_interval_s(self) -> float | None:
        """The longest interval between key frames so far, None if unknown."""
        return self._reader.key_frame_interval_s

    def close(self) -> None:
        """Disconnect."""
        self._reader.close()
        if self._relay:
            self._relay.close()

    def _connect_camera(self) -> socket.socket:
        # A little less than FFmpeg waits, so that it is this limit which is reported.
        limit_s = self._timeouts[0] * _OF_OPEN_TIMEOUT
        return rtsp_connect.connect(self._parts, limit_s, tls_verify=self._tls_verify)

    def _connect(self, options: Mapping[str, str]) -> Format | None:
        self._errors.clear()
        url = self._relay.url if self._relay else self._url
        return self._reader.open(url, self._remaining_s(), self._timeouts[1], options)

    def _reason(self) -> str | None:
        """Return why there is no stream, None if unknown."""
        return (self._relay and self._relay.reason()) or self._errors.reason()

    def _remaining_s(self) -> float:
        """Return the time for the next step of opening: all steps share one limit."""
        return max(_SHORTEST_S, self._deadline - time.monotonic())

    def _check_address(self) -> None:
        """Raise SourceUnavailableError before user and password are sent to a stranger."""
        scheme, host = self._parts.scheme.lower(), self._parts.hostname or ""
        try:
            tls.check_address(scheme, host, self._parts.port, self._remaining_s())
        except tls.UntrustedCertificateError as error:
            reason = str(error)
        except OSError as error:
            reason = f"its certificate cannot be read: {error.strerror or error}"
        else:
            return
        raise SourceUnavailableError(f"{redact_url(self._url)}: {reason}")

    def _unavailable(self, reason: str) -> SourceUnavailableError:
        where = redact_url(self._url)
        return SourceUnavailableError(f"{where}: {reason}{through_proxy(self._parts)}")
