"""Labelled faces, cropped as the worker crops them: by their own box, or by a face detector."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from emotion_streams.faces import Box
from training.datasets import Entry, UnreadablePictureError
from worker.inference.crop import Image, crop_face, preprocess
from worker.inference.detect import Detector
from worker.model.card import ModelCard

SMALL: Final = 160
"""Pictures with a shorter side in pixels are face crops of a data set, not photographs: detectors
need more pixels, and a background."""

ENLARGED: Final = 4
"""Factor by which a small picture is enlarged: a 48 pixel face becomes 192 pixels of a 384 pixel
picture, like a face at a desk in 720p."""


UNREADABLE: Final = "unreadable"


@dataclass(frozen=True)
class Crop:
    """A face ready for an engine: `picture` is uint8 (input_size, input_size, 3)."""

    entry: Entry
    picture: Image


@dataclass(frozen=True)
class Placed:
    """A picture, and the box of the labelled face in it."""

    image: Image
    face: Box


def place(image: Image, face: Box | None) -> Placed:
    """Return the picture in a form that a detector can use.

    A small picture is enlarged and put in the middle of a canvas of twice its side, whose
    background is the blurred edge of the picture.
    """
    height, width = image.shape[:2]
    if min(height, width) >= SMALL:
        return Placed(image, face or Box(0, 0, width, height))
    x, y, w, h = (face.x, face.y, face.width, face.height) if face else (0, 0, width, height)
    large = cv2.resize(image, (width * ENLARGED, height * ENLARGED), interpolation=cv2.INTER_CUBIC)
    dx, dy = large.shape[1] // 2, large.shape[0] // 2
    canvas = cv2.copyMakeBorder(large, dy, dy, dx, dx, cv2.BORDER_REPLICATE)
    canvas = cv2.GaussianBlur(canvas, (0, 0), dx / 8)
    canvas[dy : dy + large.shape[0], dx : dx + large.shape[1]] = large
    return Placed(
        np.asarray(canvas, np.uint8),
        Box(x * ENLARGED + dx, y * ENLARGED + dy, w * ENLARGED, h * ENLARGED),
    )


def detect_labelled(placed: Placed, detector: Detector) -> Box | None:
    """Return the box of the detection on the labelled face that has the highest confidence.

    A detection is on the face if its centre lies in the labelled box. None if there is no such one.
    """
    face = placed.face
    for found in detector.detect(placed.image):
        x, y = found.box.x + found.box.width / 2, found.box.y + found.box.height / 2
        if face.x <= x <= face.x + face.width and face.y <= y <= face.y + face.height:
            return found.box
    return None


def crops(
    entries: Iterable[Entry],
    card: ModelCard,
    detector: Detector | None,
    left_out: Callable[[str, Entry], None],
) -> Iterator[Crop]:
    """Yield each face as the model's input.

    `left_out` is called with the reason, `unreadable` or `not detected`, for each face that is not.
    """
    for entry in entries:
        try:
            image = entry.read()
        except UnreadablePictureError:
            left_out(UNREADABLE, entry)
            continue
        if detector is None:
            yield Crop(entry, preprocess(entry.face(image), card))
            continue
        placed = place(image, entry.box)
        box = detect_labelled(placed, detector)
        if box is None:
            left_out("not detected", entry)
            continue
        yield Crop(
            entry, preprocess(crop_face(placed.image, box, card.crop_for(detector.name)), card)
        )
