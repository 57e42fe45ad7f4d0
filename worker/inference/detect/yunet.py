"""YuNet in OpenCV, the preferred detector: accurate, small, fast on a CPU (Wu et al., 2023)."""

from collections import OrderedDict
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_streams.faces import Box
from worker.inference.detect import Detection

SCORE_THRESHOLD: Final = 0.7
NMS_THRESHOLD: Final = 0.3
MAX_CANDIDATES: Final = 5000
"""Maximum boxes before suppression, about ten per face. With 500, most faces of a crowd in 4K are
lost."""

DETECT_SIDE: Final = 640
"""Longer side in pixels to which pictures are reduced for detection: the size that YuNet was
trained on. Faces of 12 pixels in the reduced picture are still found. Crops come from the full
picture."""

MAX_DETECT_SIDE: Final = 4096
"""A 4K picture is not reduced. A picture of 3840x2160 costs 27 times as much as one of 640x480."""

SIZES_KEPT: Final = 4
"""Networks that a detector keeps, one per input size. Setting up another network takes 3 to 4 ms,
half the time of a frame's detection. Each network takes 10 to 25 MB at a side of 640, and beyond
that in proportion to its pixels. Each thread has a detector, so fewer networks are kept if they are
larger."""

SCORE: Final = 14
FACE_NUMBERS: Final = 15
"""Numbers per face: the box, five landmarks, and the score as the last one."""

MIN_SIDE: Final = 64
"""Smallest side in pixels: twice the network's largest stride. Smaller pictures are padded, because
OpenCV 4.14 reads uninitialised memory for them, and finds faces in it."""


def reduced(image: NDArray[np.uint8], side: int) -> tuple[NDArray[np.uint8], float]:
    """Return the picture, its longer side at most `side` pixels, and its scale, at most 1."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    if scale < 1.0:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return image, scale


def to_detections(faces: NDArray[np.float32], scale: float) -> list[Detection]:
    """Return the detections in a picture that was reduced by `scale`, in its pixels.

    `faces` is (n, FACE_NUMBERS): left, top, width, height, five landmarks x and y in the order of
    Detection, in pixels of the reduced picture, and the score.
    """
    pixels = (faces[:, :SCORE].astype(np.float64) / scale).tolist()
    return [
        Detection(
            Box(*numbers[:4]),
            min(1.0, max(0.0, score)),
            tuple(zip(numbers[4::2], numbers[5::2], strict=True)),
        )
        for numbers, score in zip(pixels, faces[:, SCORE].tolist(), strict=True)
    ]


class YuNet:
    """OpenCV's FaceDetectorYN with the Zoo's 2023mar weights."""

    name = "yunet"

    def __init__(self, weights: bytes, side: int = DETECT_SIDE) -> None:
        """`weights`: the content of the ONNX file. Raises cv2.error if it is not such a model."""
        self._model = np.frombuffer(weights, np.uint8)
        self._side = side
        self._sizes_kept = max(1, min(SIZES_KEPT, SIZES_KEPT * DETECT_SIDE**2 // side**2))
        self._nets: OrderedDict[tuple[int, int], Any] = OrderedDict()
        self._net((320, 240))

    def detect(self, image: NDArray[np.uint8], *, exact: bool = False) -> list[Detection]:  # noqa: ARG002 - it always is
        """Return the faces in a uint8 BGR picture (height, width, 3), highest score first."""
        image, scale = reduced(image, self._side)
        if min(image.shape[:2]) < MIN_SIDE:
            down, right = (max(0, MIN_SIDE - side) for side in image.shape[:2])
            border = cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_CONSTANT)
            image = np.asarray(border, np.uint8)
        _, rows = self._net((image.shape[1], image.shape[0])).detect(image)
        faces = rows if rows is not None else np.empty((0, FACE_NUMBERS), np.float32)
        return sorted(to_detections(faces, scale), key=lambda detection: -detection.score)

    def _net(self, size: tuple[int, int]) -> Any:
        """Return a network set up for pictures of (width, height).

        This is a kept network of that size, a new one, or the least recently used one, resized.
        """
        net = self._nets.pop(size, None)
        if net is None and len(self._nets) == self._sizes_kept:
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
