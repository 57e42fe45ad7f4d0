"""From what the source gave to the JPEG that workers get."""

from typing import Final, NamedTuple

import numpy as np

from producer.jpeg import inspect
from producer.opencv import cv2
from producer.sources.base import Picture, Pixels, UndecodableFrame


class EncodedPicture(NamedTuple):
    """A JPEG and its size in pixels."""

    jpeg: bytes
    width: int
    height: int


class Preparer:
    """Scales pictures down to `width` where they are wider, and encodes them at `quality`.

    A JPEG that needs none of it passes through as the camera made it.
    """

    def __init__(self, width: int, quality: int) -> None:
        self._width = width
        self._options: Final = [cv2.IMWRITE_JPEG_QUALITY, quality]

    def __call__(self, picture: Picture) -> EncodedPicture:
        """The picture as JPEG. Raises UndecodableFrame."""
        if isinstance(picture, bytes):
            header = inspect(picture)
            if header.width <= self._width and not header.exif:
                return EncodedPicture(picture, header.width, header.height)
            picture = decode(picture, header.width // self._width)
        return self._encode(self._scale_down(picture))

    def _scale_down(self, pixels: Pixels) -> Pixels:
        height, width = pixels.shape[:2]
        if width <= self._width:
            return pixels
        size = (self._width, max(1, round(height * self._width / width)))
        return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)

    def _encode(self, pixels: Pixels) -> EncodedPicture:
        ok, buffer = cv2.imencode(".jpg", pixels, self._options)
        if not ok:
            raise UndecodableFrame(f"a picture of shape {pixels.shape} cannot be encoded")
        return EncodedPicture(buffer.tobytes(), pixels.shape[1], pixels.shape[0])


def decode(jpeg: bytes, reducible: int = 1) -> Pixels:
    """Decode a JPEG, at a half, a quarter or an eighth where it is to be reduced `reducible` times
    anyway: that skips most of the work. Raises UndecodableFrame."""
    flags = cv2.IMREAD_COLOR
    for factor, reduced in (
        (8, cv2.IMREAD_REDUCED_COLOR_8),
        (4, cv2.IMREAD_REDUCED_COLOR_4),
        (2, cv2.IMREAD_REDUCED_COLOR_2),
    ):
        if reducible >= factor:
            flags = reduced
            break
    try:
        pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), flags)
    except cv2.error as error:
        raise UndecodableFrame(f"a JPEG of {len(jpeg)} bytes: {error.err}") from error
    if pixels is None:
        raise UndecodableFrame(f"a JPEG of {len(jpeg)} bytes cannot be decoded")
    return np.asarray(pixels, np.uint8)
