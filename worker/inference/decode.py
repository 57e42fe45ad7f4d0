"""Decodes a JPEG into a picture. It reads the size from the header before it decodes any pixel."""

import os

from emotion_streams.jpeg import MAX_PIXELS, InvalidJpegError, read_header

# OpenCV reads its own limit once, when it is imported. It is a second limit behind the project's.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))

import cv2
import numpy as np
from numpy.typing import NDArray


class UnusablePictureError(ValueError):
    """A picture cannot be analysed; the message says why."""


def decode(jpeg: bytes) -> NDArray[np.uint8]:
    """Decode a picture to uint8 BGR (height, width, 3).

    Raises UnusablePictureError if `read_header` refuses the picture, or if it cannot be decoded.
    """
    try:
        read_header(jpeg)
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    except InvalidJpegError as error:
        raise UnusablePictureError(str(error)) from error
    except cv2.error as error:
        raise UnusablePictureError(f"not decodable: {error.err}") from error
    if image is None:
        raise UnusablePictureError("not decodable")
    return np.asarray(image, np.uint8)
