"""A JPEG into a picture, with its size read from the header before any pixel is."""

import os
from typing import Final

from emotion_streams.frames import MAX_SIDE
from emotion_streams.jpeg import START, is_cut_off

MAX_PIXELS: Final = 36_000_000
"""An 8K frame. A 631-byte JPEG that claims 32000 x 32000 takes 17 s and 7 GB to decode."""

# OpenCV reads its own limit once, when it is imported: the second wall behind ours.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))

import cv2  # noqa: E402 - after its limit is set
import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402


class UnusablePicture(ValueError):
    """A picture that cannot be analysed: why."""


def decode(jpeg: bytes) -> NDArray[np.uint8]:
    """The picture as uint8 BGR (height, width, 3). Raises UnusablePicture where it is no JPEG, is
    cut off, or claims more than MAX_PIXELS or a side above frames.MAX_SIDE."""
    width, height = jpeg_size(jpeg)
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise UnusablePicture(f"claims {width}x{height}, the limit is {MAX_PIXELS} pixels")
    # libjpeg fills what a cut-off picture lacks with grey and only warns: not a frame to trust.
    if is_cut_off(jpeg):
        raise UnusablePicture("cut off: no end-of-image marker")
    try:
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise UnusablePicture(f"not decodable: {error.err}") from error
    if image is None:
        raise UnusablePicture("not decodable")
    return np.asarray(image, np.uint8)


def jpeg_size(jpeg: bytes) -> tuple[int, int]:
    """(width, height) from the JPEG's frame header (ITU-T T.81, B.2.2), without decoding it."""
    if not jpeg.startswith(START):
        raise UnusablePicture("not a JPEG")
    at = 2
    while at + 9 <= len(jpeg):
        if jpeg[at] != 0xFF:
            raise UnusablePicture(f"not a JPEG: no marker at byte {at}")
        marker = jpeg[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height = int.from_bytes(jpeg[at + 5 : at + 7])
            width = int.from_bytes(jpeg[at + 7 : at + 9])
            if not width or not height:
                raise UnusablePicture(f"claims {width}x{height}")
            return width, height
        elif marker in (0xD9, 0xDA):  # end, or pixels, before any frame header
            break
        elif 0xD0 <= marker <= 0xD7 or marker == 0x01:  # markers without a length
            at += 2
        else:
            at += 2 + int.from_bytes(jpeg[at + 2 : at + 4])
    raise UnusablePicture("not a JPEG: no frame header")
