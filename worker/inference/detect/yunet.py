"""YuNet, the detector to use: exact, small, fast on a CPU (Wu et al., 2023, through OpenCV)."""

from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_streams.events import Box
from worker.inference.detect import Detection

SCORE_THRESHOLD: Final = 0.7
NMS_THRESHOLD: Final = 0.3
MAX_CANDIDATES: Final = 500

MAX_SIDE: Final = 640
"""Pictures are reduced to this longer side for detection: the size YuNet was trained on. Faces of
12 pixels in it are still found; the crop is cut from the full picture."""


SIZES_KEPT: Final = 4
"""Networks that a detector keeps, one per size of its input: to lay one out anew costs 3 to 4 ms,
half of a frame's detection. Each takes 10 to 25 MB, and each thread has a detector."""

MIN_SIDE: Final = 64
"""Twice the network's largest stride. In flatter pictures OpenCV 4.14 reads memory that nobody
wrote, and finds faces in it; they are padded."""


def reduced(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """The picture with its longer side no longer than MAX_SIDE, and by how much it is smaller."""
    height, width = image.shape[:2]
    scale = min(1.0, MAX_SIDE / max(height, width))
    if scale < 1.0:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return image, scale


class YuNet:
    """OpenCV's FaceDetectorYN with the Zoo's 2023mar weights."""

    name = "yunet"

    def __init__(self, model: Path) -> None:
        """Raises OSError where the file cannot be read, cv2.error where it is no such model."""
        self._model = np.frombuffer(model.read_bytes(), np.uint8)
        self._nets: OrderedDict[tuple[int, int], Any] = OrderedDict()
        self._net((320, 240))

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """The faces in a uint8 BGR picture (height, width, 3), surest first."""
        image, scale = reduced(image)
        if min(image.shape[:2]) < MIN_SIDE:
            down, right = (max(0, MIN_SIDE - side) for side in image.shape[:2])
            border = cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_CONSTANT)
            image = np.asarray(border, np.uint8)
        _, rows = self._net((image.shape[1], image.shape[0])).detect(image)
        found = [
            Detection(
                Box(*(float(value) / scale for value in (row[0], row[1], row[2], row[3]))),
                score=min(1.0, max(0.0, float(row[14]))),
            )
            for row in (rows if rows is not None else ())
        ]
        return sorted(found, key=lambda detection: -detection.score)

    def _net(self, size: tuple[int, int]) -> Any:
        """The network laid out for pictures of (width, height): one that is kept, a new one, or
        the one that was used longest ago."""
        net = self._nets.pop(size, None)
        if net is None and len(self._nets) == SIZES_KEPT:
            _, net = self._nets.popitem(last=False)
            net.setInputSize(size)
        self._nets[size] = net or self._create(size)
        return self._nets[size]

    def _create(self, size: tuple[int, int]) -> Any:
        return cv2.FaceDetectorYN.create(
            "onnx",
            self._model,
            np.empty(0, np.uint8),
            size,
            SCORE_THRESHOLD,
            NMS_THRESHOLD,
            MAX_CANDIDATES,
        )
