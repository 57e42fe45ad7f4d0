"""Haar cascades, which OpenCV includes: the detector if YuNet's file is unavailable.

They find no landmarks, are slower, and miss faces that YuNet finds: they find 32 of 43 on the same
nine pictures.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_streams.faces import Box
from worker.inference.detect import Detection

MAX_WIDTH: Final = 320
"""Pictures are reduced to this width. At 640 pixels the cost is ten times that of YuNet."""

SCALE_FACTOR: Final = 1.1
MIN_NEIGHBOURS: Final = 5
MIN_FACE: Final = 24
"""Smallest face, in pixels of the reduced picture: the size of the cascade's window."""

SCORE_THRESHOLD: Final = 0.7
"""The same as for YuNet. On the nine pictures it drops the one false detection and no true one."""

CHECK_MARGIN: Final = 0.3
"""Border around a detection that the second cascade sees, as a fraction of its width."""

CHECK_SIDE: Final = 40
"""Side in pixels to which a detection is scaled for the second cascade. Its window has 20, so it
tests several positions and sizes; the cost is not measurable beside that of the first cascade."""

CHECK_NEIGHBOURS: Final = 2
CHECK_SIZES: Final = (0.6, 1.4)
"""Smallest and largest confirming detection, relative to the confirmed one."""


class Haar:
    """OpenCV's frontal face cascade (Viola and Jones, 2001), confirmed by a second cascade.

    Alone, the first cascade detects a second face in a third of the demo's frames.
    """

    name = "haar"

    def __init__(self) -> None:
        self._cascade = _load("haarcascade_frontalface_default.xml")
        self._check = _load("haarcascade_frontalface_alt.xml")

    def detect(self, image: NDArray[np.uint8], *, exact: bool = False) -> list[Detection]:  # noqa: ARG002 - it always is
        """Return the faces in a uint8 BGR picture (height, width, 3), highest score first."""
        height, width = image.shape[:2]
        scale = min(1.0, MAX_WIDTH / width)
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        if scale < 1.0:
            size = (MAX_WIDTH, max(1, round(height * scale)))
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        equalized = np.asarray(cv2.equalizeHist(grey), np.uint8)
        boxes, _, weights = self._cascade.detectMultiScale3(
            equalized,
            scaleFactor=SCALE_FACTOR,
            minNeighbors=MIN_NEIGHBOURS,
            minSize=(MIN_FACE, MIN_FACE),
            outputRejectLevels=True,
        )
        # The sum of the cascade's last stage is about 0 to 10. A logistic function makes it
        # comparable.
        scores = (1 / (1 + math.exp(-float(weight) / 2)) for weight in np.ravel(weights))
        found = [
            Detection(Box(*(float(value) / scale for value in box)), score)
            for box, score in zip(boxes, scores, strict=True)
            if score >= SCORE_THRESHOLD and self._confirms(equalized, box)
        ]
        return sorted(found, key=lambda detection: -detection.score)

    def _confirms(self, grey: NDArray[np.uint8], box: Sequence[int]) -> bool:
        """Return whether the second cascade detects a face of similar size at the box's centre."""
        x, y, width, height = map(int, box)
        margin = round(CHECK_MARGIN * width)
        left, top = max(0, x - margin), max(0, y - margin)
        around = grey[top : y + height + margin, left : x + width + margin]
        zoom = CHECK_SIDE / width
        least, most = (round(size * CHECK_SIDE) for size in CHECK_SIZES)
        faces = self._check.detectMultiScale(
            cv2.resize(around, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LINEAR),
            scaleFactor=SCALE_FACTOR,
            minNeighbors=CHECK_NEIGHBOURS,
            minSize=(least, least),
            maxSize=(most, most),
        )
        centre_x, centre_y = (x + width / 2 - left) * zoom, (y + height / 2 - top) * zoom
        return any(
            x <= centre_x <= x + width and y <= centre_y <= y + height
            for x, y, width, height in faces
        )


def _load(name: str) -> cv2.CascadeClassifier:
    path = Path(cv2.__file__).parent / "data" / name
    cascade = cv2.CascadeClassifier(str(path))
    if cascade.empty():
        raise OSError(f"{path}: not a cascade")
    return cascade
