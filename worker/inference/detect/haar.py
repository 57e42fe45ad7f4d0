"""Haar cascades, which OpenCV includes: the detector if YuNet's file is unavailable.

They are slower, and miss faces that YuNet finds: they find 38 of 43 on the same nine pictures, with
up to 5 false detections.
"""

import math
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_streams.events import Box
from worker.inference.detect import Detection

MAX_WIDTH: Final = 320
"""Pictures are reduced to this width. At 640 pixels the cost is ten times that of YuNet."""

SCALE_FACTOR: Final = 1.1
MIN_NEIGHBOURS: Final = 5
MIN_FACE: Final = 24
"""Smallest face, in pixels of the reduced picture: the size of the cascade's window."""

SCORE_THRESHOLD: Final = 0.7
"""The same as for YuNet. On the nine pictures it drops the one false detection and no true one."""


class Haar:
    """OpenCV's frontal face cascade (Viola and Jones, 2001)."""

    name = "haar"

    def __init__(self) -> None:
        path = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"
        self._cascade = cv2.CascadeClassifier(str(path))
        if self._cascade.empty():
            raise OSError(f"{path}: not a cascade")

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Return the faces in a uint8 BGR picture (height, width, 3), highest score first."""
        height, width = image.shape[:2]
        scale = min(1.0, MAX_WIDTH / width)
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        if scale < 1.0:
            size = (MAX_WIDTH, max(1, round(height * scale)))
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        boxes, _, weights = self._cascade.detectMultiScale3(
            cv2.equalizeHist(grey),
            scaleFactor=SCALE_FACTOR,
            minNeighbors=MIN_NEIGHBOURS,
            minSize=(MIN_FACE, MIN_FACE),
            outputRejectLevels=True,
        )
        detections = (
            # The sum of the cascade's last stage is about 0 to 10. A logistic function makes it
            # comparable.
            Detection(
                Box(*(float(value) / scale for value in box)),
                score=1 / (1 + math.exp(-float(weight) / 2)),
            )
            for box, weight in zip(boxes, np.ravel(weights), strict=True)
        )
        found = [detection for detection in detections if detection.score >= SCORE_THRESHOLD]
        return sorted(found, key=lambda detection: -detection.score)
