"""What is done to a frame in a thread: decode the picture, detect faces, crop them."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.inference.crop import cut, prepare
from worker.inference.decode import UnusablePicture, decode
from worker.inference.detect import Detection, Detector
from worker.model.card import ModelCard


@dataclass(frozen=True)
class Found:
    """A picture's faces: `crops` is uint8 (faces, size, size, 3), a row per detection."""

    width: int
    height: int
    detections: tuple[Detection, ...]
    crops: NDArray[np.uint8]
    decode_s: float
    detect_s: float


class FaceFinder:
    """Finds and cuts out faces, from any thread; each thread gets a detector of its own."""

    def __init__(self, new_detector: Callable[[], Detector], card: ModelCard) -> None:
        self._new_detector = new_detector
        self._card = card
        self._local = threading.local()
        self.detector = new_detector().name
        self._geometry = card.crop_for(self.detector)

    def find(self, jpeg: bytes) -> Found:
        """Decode, detect, crop. Raises UnusablePicture."""
        start = time.perf_counter()
        image = decode(jpeg)
        decoded = time.perf_counter()
        try:
            detections = self._detector().detect(image)
        except cv2.error as error:
            raise UnusablePicture(f"the detector refused it: {error.err}") from error
        size = self._card.input_size
        crops = np.empty((len(detections), size, size, 3), np.uint8)
        for crop, detection in zip(crops, detections, strict=True):
            crop[:] = prepare(cut(image, detection.box, self._geometry), self._card)
        height, width = image.shape[:2]
        return Found(
            width=width,
            height=height,
            detections=tuple(detections),
            crops=crops,
            decode_s=decoded - start,
            detect_s=time.perf_counter() - decoded,
        )

    def _detector(self) -> Detector:
        detector: Detector | None = getattr(self._local, "detector", None)
        if detector is None:
            detector = self._local.detector = self._new_detector()
        return detector
