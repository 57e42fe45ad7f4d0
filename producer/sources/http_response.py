"""The responses of a server of pictures: what they may be, and how much of them is read."""

import time
from http import HTTPStatus
from typing import Final

import httpx

from emotion_streams.jpeg import MAX_JPEG_BYTES
from producer.sources import http_reasons
from producer.sources.http_reasons import (
    NotAPictureError,
    PictureUnavailableError,
    StreamFoundError,
    redirected_to,
)

_KINDS: Final = frozenset({"image/jpeg", "image/jpg", "image/pjpeg", "image/png"})
_STREAMS: Final = ("multipart/", "video/", "application/octet-stream")
_MAX_SHOWN: Final = 200
_MAX_VALIDATOR: Final = 1024
_MAX_DISCARDED: Final = 1 << 16


def check(response: httpx.Response, url: httpx.URL) -> None:
    """Raise PictureUnavailableError unless the response is the picture of `url`, uncompressed."""
    if response.status_code != HTTPStatus.OK:
        raise PictureUnavailableError(http_reasons.of_status(response.status_code))
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _KINDS:
        if response.url != url:
            raise redirected_to(str(response.url))
        if kind.startswith(_STREAMS) or not kind:
            raise StreamFoundError("the URL of a stream, not of a picture")
        shown = kind[:_MAX_SHOWN] if kind.isprintable() else "data of an unknown type"
        raise NotAPictureError(
            f"the server sends {shown}: neither a video nor a JPEG or PNG picture"
        )
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise NotAPictureError("the server compresses its picture, although it was asked not to")


def read(response: httpx.Response, deadline: float) -> bytes:
    """Return the body. Raises PictureUnavailableError if it is too large, or late."""
    content = bytearray()
    for chunk in response.iter_raw():
        content += chunk
        if len(content) > MAX_JPEG_BYTES:
            raise PictureUnavailableError(f"its picture has more than {MAX_JPEG_BYTES:,} bytes")
        if time.monotonic() > deadline:
            raise PictureUnavailableError("timed out: its picture takes too long")
    return bytes(content)


def discard(response: httpx.Response, deadline: float) -> None:
    """Read a short body, after which the connection can be used again."""
    length = 0
    for chunk in response.iter_raw():
        length += len(chunk)
        if length > _MAX_DISCARDED or time.monotonic() > deadline:
            return


def validators(headers: httpx.Headers) -> dict[str, str]:
    """Return the headers that ask for the picture only if it changed (RFC 9110, 13.1)."""
    etag, modified = headers.get("etag", ""), headers.get("last-modified", "")
    if modified == headers.get("date"):
        modified = ""  # in whole seconds: the picture may change again within this one
    found = {"If-None-Match": etag, "If-Modified-Since": modified}
    return {name: value for name, value in found.items() if 0 < len(value) <= _MAX_VALIDATOR}
