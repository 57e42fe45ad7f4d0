"""A JPEG into a picture, with its size read from the header before any pixel is."""

import os

from emotion_streams.jpeg import MAX_PIXELS, InvalidJpegError, read_header

# OpenCV reads its own limit once, when it is imported: the second wall behind ours.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))

import cv2
import numpy as np
from numpy.typing import NDArray


class UnusablePictureError(ValueError):
    """A picture that cannot be analysed: why."""


def decode(jpeg: bytes) -> NDArray[np.uint8]:
    """The picture as uint8 BGR (height, width, 3). Raises UnusablePictureError if `read_header`
    refuses it, or it cannot be decoded."""
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
