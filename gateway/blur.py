"""Faces made unrecognisable, for pictures that may be seen by more people than the faces chose."""

import asyncio
import os
from typing import Final, TypeAlias

from emotion_streams.jpeg import MAX_PIXELS

# Read once, when cv2 is imported: what a hostile header may claim (see producers' frames).
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_streams import Box, EmotionEvent

Image: TypeAlias = NDArray[np.uint8]

_MARGIN: Final = 0.25
"""Of the box on each side: detectors cut at the chin and the brow, people know ears and hair."""
_BLOCKS: Final = 6
"""Blocks along the longer side of a face: too few to tell anybody by."""
_QUALITY: Final = 85


async def blur_faces(jpeg: bytes, event: EmotionEvent) -> bytes:
    """The picture with every face of its event pixelated, as a new JPEG without any metadata.
    Raises ValueError where that cannot be done."""
    try:
        return await asyncio.to_thread(_blur, jpeg, event)
    except (cv2.error, MemoryError) as error:
        raise ValueError(f"cannot be blurred: {error}") from error


def _blur(jpeg: bytes, event: EmotionEvent) -> bytes:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("not a picture")
    pixels = image.astype(np.uint8, copy=False)
    height, width = pixels.shape[:2]
    for face in event.faces:
        # Boxes are in pixels of the analysed picture, which may be a smaller copy.
        _pixelate(pixels, face.box, width / event.width, height / event.height)
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return encoded.tobytes()


def _pixelate(image: Image, box: Box, scale_x: float, scale_y: float) -> None:
    """Replace the box and its margin by a few flat blocks, in place."""
    x, y = box.x - box.width * _MARGIN, box.y - box.height * _MARGIN
    right, bottom = x + box.width * (1 + 2 * _MARGIN), y + box.height * (1 + 2 * _MARGIN)
    height, width = image.shape[:2]
    left, right_ = (int(np.clip(value * scale_x, 0, width)) for value in (x, right))
    top, bottom_ = (int(np.clip(value * scale_y, 0, height)) for value in (y, bottom))
    region = image[top:bottom_, left:right_]
    if region.size == 0:
        return
    shrink = _BLOCKS / max(region.shape[:2])
    size = (max(1, round(region.shape[1] * shrink)), max(1, round(region.shape[0] * shrink)))
    small = cv2.resize(region, size, interpolation=cv2.INTER_AREA)
    region[:] = cv2.resize(
        small, (region.shape[1], region.shape[0]), interpolation=cv2.INTER_NEAREST
    )
