"""Draws what was found into a picture."""

from typing import Final

import numpy as np

from analyse.palette import bgr
from emotion_streams.cli.output import short_track
from emotion_streams.emotions import UNCERTAIN
from emotion_streams.events import EmotionEvent
from emotion_streams.faces import Box, Face
from gateway.blur import pixelate, reduce
from producer.opencv import cv2
from producer.source import Pixels

_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
_SIDE_OF_SCALE_1: Final = 1080
"""Shorter side in pixels of a picture whose text and lines have scale 1."""


def annotated(pixels: Pixels, event: EmotionEvent, *, blur: bool) -> Pixels:
    """Return a copy with a box around each face, its track and its label."""
    drawn = without_faces(pixels, event) if blur else pixels.copy()
    scale = max(0.4, min(drawn.shape[:2]) / _SIDE_OF_SCALE_1)
    for face in event.faces:
        _draw_face(drawn, face, _to_picture(face.box, drawn, event), scale)
    return drawn


def without_faces(pixels: Pixels, event: EmotionEvent | None) -> Pixels:
    """Return a copy of the same size in which no face is recognisable.

    As the gateway does, it shows no more detail than the detector saw. Where no box tells the place
    of a face (no event, or one that omits all its faces), all of the picture is pixelated.
    """
    if event is None or (event.faces_omitted and not event.faces):
        return _pixelated(pixels)
    size = (pixels.shape[1], pixels.shape[0])
    hidden = reduce(pixels, event).copy()
    height, width = hidden.shape[:2]
    for face in event.faces:
        pixelate(hidden, face.box, width / event.width, height / event.height)
    if (width, height) == size:
        return hidden
    return np.asarray(cv2.resize(hidden, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _pixelated(pixels: Pixels) -> Pixels:
    drawn = pixels.copy()
    pixelate(drawn, Box(0, 0, drawn.shape[1], drawn.shape[0]), 1, 1)
    return drawn


def reduced(pixels: Pixels, width: int) -> Pixels:
    """Return the picture, at most `width` pixels wide."""
    rows, columns = pixels.shape[:2]
    if columns <= width:
        return pixels
    size = (width, max(1, round(rows * width / columns)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def fitted(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Return the picture with this width and height."""
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def to_jpeg(pixels: Pixels) -> bytes:
    """Encode a picture."""
    encoded: bytes = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
    return encoded


def _to_picture(box: Box, pixels: Pixels, event: EmotionEvent) -> tuple[int, int, int, int]:
    """Return the corners of a box, in pixels of the picture."""
    height, width = pixels.shape[:2]
    across, down = width / event.width, height / event.height
    return (
        round(box.x * across),
        round(box.y * down),
        round((box.x + box.width) * across),
        round((box.y + box.height) * down),
    )


def _draw_face(
    pixels: Pixels, face: Face, corners: tuple[int, int, int, int], scale: float
) -> None:
    left, top, right, bottom = corners
    label = face.label or UNCERTAIN
    colour = bgr(label)
    thick = max(1, round(2 * scale))
    cv2.rectangle(pixels, (left, top), (right, bottom), colour, thick)
    text = f"{short_track(face.track)} {label}" if face.track else face.emotion
    (width, height), below = cv2.getTextSize(text, _FONT, scale, thick)
    # Above the box; inside of it if there is no room.
    base = top - below if top >= height + below else top + height + thick
    left = max(0, min(left, pixels.shape[1] - width))
    corner = (left, base - height - thick)
    cv2.rectangle(pixels, corner, (left + width, base + below), (0, 0, 0), cv2.FILLED)
    cv2.putText(pixels, text, (left, base), _FONT, scale, colour, thick, cv2.LINE_AA)
