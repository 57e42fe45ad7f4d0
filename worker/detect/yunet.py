"""YuNet, the detector to use: exact, small, fast on a CPU (Wu et al., 2023, through OpenCV)."""

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_streams.events import Box
from worker.detect import Detection

SCORE_THRESHOLD: Final = 0.7
NMS_THRESHOLD: Final = 0.3
MAX_CANDIDATES: Final = 500

MAX_SIDE: Final = 640
"""Pictures are reduced to this longer side for detection: the size YuNet was trained on. Faces of
12 pixels in it are still found; the crop is cut from the full picture."""


MIN_SIDE: Final = 64
"""Twice the network's largest stride. In flatter pictures OpenCV 4.14 reads memory that nobody
wrote, and finds faces in it; they are padded."""


class YuNet:
    """OpenCV's FaceDetectorYN with the Zoo's 2023mar weights."""

    name = "yunet"

    def __init__(self, model: Path) -> None:
        """Raises OSError where the file cannot be read, cv2.error where it is no such model."""
        self._net = cv2.FaceDetectorYN.create(
            "onnx",
            np.frombuffer(model.read_bytes(), np.uint8),
            np.empty(0, np.uint8),
            (320, 320),
            SCORE_THRESHOLD,
            NMS_THRESHOLD,
            MAX_CANDIDATES,
        )

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """The faces in a uint8 BGR picture (height, width, 3), surest first."""
        height, width = image.shape[:2]
        scale = min(1.0, MAX_SIDE / max(height, width))
        if scale < 1.0:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        if min(image.shape[:2]) < MIN_SIDE:
            down, right = (max(0, MIN_SIDE - side) for side in image.shape[:2])
            border = cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_CONSTANT)
            image = np.asarray(border, np.uint8)
        self._net.setInputSize((image.shape[1], image.shape[0]))
        _, rows = self._net.detect(image)
        found = [
            Detection(
                Box(*(float(value) / scale for value in (row[0], row[1], row[2], row[3]))),
                score=min(1.0, max(0.0, float(row[14]))),
            )
            for row in (rows if rows is not None else ())
        ]
        return sorted(found, key=lambda detection: -detection.score)
