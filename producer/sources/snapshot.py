"""Cameras at the URL of a single picture, which is polled."""

import ssl
import time
from typing import Final
from urllib.parse import urlsplit

import numpy as np

from emotion_streams.redaction import redact_url
from producer.opencv import cv2
from producer.picture import jpeg_header
from producer.source import (
    Format,
    NoNewFrameError,
    Picture,
    Pixels,
    SourceUnavailableError,
    UndecodableFrameError,
)
from producer.sources import http_reasons, tls
from producer.sources.http_picture import PictureClient
from producer.sources.http_reasons import (
    NotAPictureError,
    PictureUnavailableError,
    StreamFoundError,
)
from producer.sources.proxy import environment_proxy, through_proxy

_LONGEST_WAIT_S: Final = 0.5
_PNG: Final = b"\x89PNG\r\n\x1a\n"


class NoSnapshotError(SourceUnavailableError):
    """The server at the URL sends something else than a picture. `is_stream`: perhaps a stream."""

    def __init__(self, reason: str, *, is_stream: bool) -> None:
        super().__init__(reason)
        self.is_stream = is_stream


class SnapshotSource:
    """The JPEG or PNG at an http(s):// URL, requested `fps` times a second.

    A picture that did not change, by its ETag, Last-Modified or content, is not a new frame.
    """

    live = True

    def __init__(
        self,
        url: str,
        fps: float,
        open_timeout_s: float,
        read_timeout_s: float,
        *,
        tls_verify: bool = True,
    ) -> None:
        self._url = url
        self._parts = urlsplit(url)
        self._interval_s = 1 / fps
        self._open_timeout_s = open_timeout_s
        self._read_timeout_s = read_timeout_s
        self._tls_verify = tls_verify
        self._client: PictureClient | None = None
        self._picture = b""
        self._is_new = False
        self._due_s = 0.0

    def open(self, limit_s: float | None = None) -> Format:
        """Fetch the first picture, within `limit_s` if that is shorter than the time limit.

        Raises NoSnapshotError, and SourceUnavailableError for other reasons.
        """
        self.close()
        limit_s = min(self._open_timeout_s, limit_s or self._open_timeout_s)
        deadline = time.monotonic() + limit_s
        try:
            proxy = environment_proxy(self._parts)
            self._client = PictureClient(self._url, self._tls_context(limit_s), proxy)
            self._picture = self._client.fetch(deadline - time.monotonic()) or b""
            self._is_new, self._due_s = True, time.monotonic()
            return self._format()
        except NotAPictureError as error:
            is_stream = isinstance(error, StreamFoundError)
            raise NoSnapshotError(self._named(error), is_stream=is_stream) from None
        except (PictureUnavailableError, UndecodableFrameError) as error:
            raise SourceUnavailableError(self._named(error)) from None

    def grab(self) -> None:
        """Wait until the picture is due, and request it. Return None: it has no timestamp.

        The first picture is that of `open`. Raises NoNewFrameError if the picture did not change or
        is not due within half a second, and SourceUnavailableError.
        """
        if self._client is None:
            raise SourceUnavailableError(f"{redact_url(self._url)}: is not open")
        wait_s = self._due_s - time.monotonic()
        time.sleep(min(max(0.0, wait_s), _LONGEST_WAIT_S))
        if wait_s > _LONGEST_WAIT_S:
            raise NoNewFrameError
        # On a fixed grid, which starts again after a request that took longer than the interval.
        self._due_s = max(self._due_s + self._interval_s, time.monotonic())
        if self._is_new:
            self._is_new = False
            return
        try:
            picture = self._client.fetch(self._read_timeout_s)
        except PictureUnavailableError as error:
            raise SourceUnavailableError(self._named(error)) from None
        if picture is None:
            raise NoNewFrameError
        self._picture = picture

    def retrieve(self) -> Picture:
        """Return the picture: a JPEG as the camera sent it, a PNG as pixels.

        Raises UndecodableFrameError.
        """
        if self._picture.startswith(_PNG):
            return _decode_png(self._picture)
        jpeg_header(self._picture)
        return self._picture

    def close(self) -> None:
        """Disconnect."""
        if self._client is not None:
            self._client.close()
            self._client = None
        self._picture = b""

    def _format(self) -> Format:
        picture = self.retrieve()
        if isinstance(picture, bytes):
            header = jpeg_header(picture)
            return Format(header.width, header.height, 0.0, "jpeg")
        height, width = picture.shape[:2]
        return Format(width, height, 0.0, "png")

    def _tls_context(self, limit_s: float) -> ssl.SSLContext:
        """Return what checks the certificate. Raises PictureUnavailableError."""
        scheme, host = self._parts.scheme.lower(), self._parts.hostname or ""
        if scheme != "https":
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # not used; needs no authorities
        verify = self._tls_verify
        try:
            names_host = not verify or tls.check_address(scheme, host, self._parts.port, limit_s)
            return tls.client_context(verify=verify, check_name=names_host)
        except tls.UntrustedCertificateError as error:
            raise PictureUnavailableError(str(error)) from None
        except OSError as error:
            reason = http_reasons.of_error(error, host)
            raise PictureUnavailableError(f"its certificate cannot be read: {reason}") from None

    def _named(self, reason: Exception) -> str:
        return f"{redact_url(self._url)}: {reason}{through_proxy(self._parts)}"


def _decode_png(content: bytes) -> Pixels:
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:  # for example if it exceeds the limit of pixels
        raise UndecodableFrameError(f"the PNG is refused: {error.err}") from error
    if pixels is None:
        raise UndecodableFrameError(f"a PNG of {len(content)} bytes cannot be decoded")
    return np.asarray(pixels, np.uint8)
