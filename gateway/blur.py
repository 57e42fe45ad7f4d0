"""Pixelation of faces in pictures."""

import asyncio
import math
import os
from typing import Final, TypeAlias

from emotion_streams.jpeg import MAX_PIXELS

# cv2 reads it once, when it is imported: the limit for sizes that a hostile header claims.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_streams import Box, EmotionEvent

Image: TypeAlias = NDArray[np.uint8]

_MARGIN: Final = 0.35
"""Of the box on each side: detectors cut at the chin and the brow and place small boxes a little
off, and people recognise ears and hair."""
_MIN_MARGIN: Final = 3
"""Pixels, for boxes of a few pixels."""
_BLOCKS: Final = 6
"""Blocks along the longer side of a face: too few to recognise a person."""
_QUALITY: Final = 85

_YUNET_SIDE: Final = 640
"""Pixels to which YuNet's pictures are reduced (longer side), unless the event says otherwise."""
_HAAR_WIDTH: Final = 320
"""Width to which Haar's pictures are reduced; also used for unknown detectors."""
_OMITTED_FACE: Final = 8
"""Maximum pixels of a detected face whose box the event omits."""


async def blur_faces(jpeg: bytes, event: EmotionEvent) -> bytes:
    """Pixelate every face of the event and reduce the picture to what its detector saw.

    Returns a new JPEG without any metadata. Raises ValueError if that cannot be done.
    """
    try:
        return await asyncio.to_thread(_blur, jpeg, event)
    except (cv2.error, MemoryError, OverflowError) as error:
        raise ValueError(f"cannot be blurred: {error}") from error


def _blur(jpeg: bytes, event: EmotionEvent) -> bytes:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("not a picture")
    pixels = reduce(np.asarray(image, np.uint8), event)
    height, width = pixels.shape[:2]
    for face in event.faces:
        # Boxes are in pixels of the analysed picture.
        pixelate(pixels, face.box, width / event.width, height / event.height)
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return encoded.tobytes()


def reduce(image: Image, event: EmotionEvent) -> Image:
    """Return the picture, no larger than the detector saw it; itself if it is small enough.

    A face that is too small to be found there is never shown with more pixels than that, nor is one
    whose box the event omits. Raises ValueError if the event omits faces and has none.
    """
    height, width = image.shape[:2]
    if event.model.detector == "yunet":
        scale = (event.detect_side or _YUNET_SIDE) / max(width, height)
    else:
        scale = _HAAR_WIDTH / width
    scale = min(scale, event.width / width, event.height / height)
    if event.faces_omitted:
        scale = min(scale, _scale_for_omitted(event) * event.width / width)
    if scale >= 1:
        return image
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _scale_for_omitted(event: EmotionEvent) -> float:
    """Return the scale at which every omitted face has too few pixels.

    None is larger than the smallest face of the event. Raises ValueError if the event has no face.
    """
    if not event.faces:
        raise ValueError("the event omits faces, and has no box")
    smallest = min(face.box.width * face.box.height for face in event.faces)
    return _OMITTED_FACE / max(1.0, math.sqrt(smallest))


def pixelate(image: Image, box: Box, scale_x: float, scale_y: float) -> None:
    """Replace the box and its margin by a few flat blocks, in place."""
    margin_x = max(box.width * scale_x * _MARGIN, _MIN_MARGIN)
    margin_y = max(box.height * scale_y * _MARGIN, _MIN_MARGIN)
    height, width = image.shape[:2]
    x0 = _within(box.x * scale_x - margin_x, width)
    x1 = _within((box.x + box.width) * scale_x + margin_x + 1, width)
    y0 = _within(box.y * scale_y - margin_y, height)
    y1 = _within((box.y + box.height) * scale_y + margin_y + 1, height)
    region = image[y0:y1, x0:x1]
    if region.size == 0:
        return
    shrink = _BLOCKS / max(region.shape[:2])
    size = (max(1, round(region.shape[1] * shrink)), max(1, round(region.shape[0] * shrink)))
    small = cv2.resize(region, size, interpolation=cv2.INTER_AREA)
    region[:] = cv2.resize(
        small, (region.shape[1], region.shape[0]), interpolation=cv2.INTER_NEAREST
    )


def _within(value: float, most: int) -> int:
    return int(np.clip(value, 0, most))
