"""Pictures from a source, and their conversion into the JPEG that workers receive."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from emotion_streams.jpeg import InvalidJpegError, JpegHeader, read_header
from producer.mask import Mask
from producer.opencv import cv2
from producer.polygons import Polygon
from producer.source import Picture, Pixels, UndecodableFrameError

_ROTATIONS: Final = {
    0: None,
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


class EncodedPicture(NamedTuple):
    """A JPEG and its size in pixels."""

    jpeg: bytes
    width: int
    height: int


class FrameTransform:
    """Rotates pictures, crops them to the region of interest, limits their width, and masks them.

    A picture wider than `width` is scaled down to it. A JPEG that needs none of these steps is
    passed through unchanged. `roi`: x, y, width and height, as shares of the rotated picture.
    `mask`: polygons that are blackened, in shares of the rotated and cropped picture.
    """

    def __init__(
        self,
        width: int,
        rotate: int,
        roi: tuple[float, float, float, float] | None,
        mask: Sequence[Polygon] = (),
    ) -> None:
        self._width = width
        self._rotation = _ROTATIONS[rotate]
        self._roi = roi
        self._mask = Mask(mask)

    def __call__(self, picture: Picture) -> Picture:
        """Return the picture to send. Raises UndecodableFrameError."""
        if isinstance(picture, bytes):
            header = jpeg_header(picture)
            same_view = self._rotation is None and self._roi is None and not header.exif
            if same_view and not self._mask and header.width <= self._width:
                decode(picture, 8)  # A valid header does not imply valid tables.
                return picture
            picture = decode(picture, header.width // self._width if same_view else 1)
        if self._rotation is not None:
            picture = np.asarray(cv2.rotate(picture, self._rotation), np.uint8)
        return self._mask(self._scale_down(self._cut(picture)))

    def _cut(self, pixels: Pixels) -> Pixels:
        if self._roi is None:
            return pixels
        rows, columns = pixels.shape[:2]
        x, y, width, height = self._roi
        left, top = round(x * columns), round(y * rows)
        right = max(left + 1, round((x + width) * columns))
        bottom = max(top + 1, round((y + height) * rows))
        return pixels[min(top, rows - 1) : bottom, min(left, columns - 1) : right]

    def _scale_down(self, pixels: Pixels) -> Pixels:
        height, width = pixels.shape[:2]
        if width <= self._width:
            return pixels
        size = (self._width, max(1, round(height * self._width / width)))
        return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def jpeg_header(jpeg: bytes) -> JpegHeader:
    """Read the header of a JPEG. Raises UndecodableFrameError if a worker would refuse it."""
    try:
        return read_header(jpeg)
    except InvalidJpegError as error:
        raise UndecodableFrameError(f"the JPEG is refused: {error}") from error


def encode(picture: Picture, quality: int) -> EncodedPicture:
    """Encode a picture as a JPEG of this quality. A JPEG is passed through unchanged.

    Raises UndecodableFrameError.
    """
    if isinstance(picture, bytes):
        jpeg = picture
    else:
        ok, buffer = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if not ok:
            raise UndecodableFrameError(f"a picture of shape {picture.shape} cannot be encoded")
        jpeg = buffer.tobytes()
    header = jpeg_header(jpeg)
    return EncodedPicture(jpeg, header.width, header.height)


def decode(jpeg: bytes, reducible: int = 1) -> Pixels:
    """Decode a JPEG, at reduced size if the caller scales it down anyway.

    `reducible` is the factor by which the caller reduces the picture. From a factor of 2, 4 or 8
    on, the JPEG is decoded at a half, a quarter or an eighth of its size, which skips most of the
    work. Raises UndecodableFrameError.
    """
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
        raise UndecodableFrameError(f"a JPEG of {len(jpeg)} bytes: {error.err}") from error
    if pixels is None:
        raise UndecodableFrameError(f"a JPEG of {len(jpeg)} bytes cannot be decoded")
    return np.asarray(pixels, np.uint8)


def retrieve_frame(capture: "cv2.VideoCapture | None", raw: bool, fault: str) -> Picture:
    """Return the picture, or if `raw` is set the camera's own JPEG.

    Raises UndecodableFrameError, with `fault` as its text if OpenCV returns no frame.
    """
    if raw and capture:
        jpeg = retrieve_packet(capture, fault)
        jpeg_header(jpeg)
        return jpeg
    ok, frame = capture.retrieve() if capture else (False, None)
    if not ok or frame is None:
        raise UndecodableFrameError(fault)
    return np.asarray(frame, np.uint8)


def retrieve_packet(capture: "cv2.VideoCapture", fault: str = "no frame") -> bytes:
    """Return the packet unchanged, from the start of the first JPEG in it.

    The bytes before the JPEG belong to the multipart format that carries it. A packet without a
    JPEG is returned whole. Raises UndecodableFrameError with `fault` if OpenCV returns no frame.
    """
    ok, frame = capture.retrieve()
    if not ok or frame is None:
        raise UndecodableFrameError(fault)
    packet = frame.tobytes()
    return packet[max(0, packet.find(b"\xff\xd8\xff")) :]
