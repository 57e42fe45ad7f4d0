"""The stages of a frame that run in a thread: decode the picture, detect faces, crop them."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.inference.crop import crop_face, preprocess
from worker.inference.decode import UnusablePictureError, decode
from worker.inference.detect import Detection, Detector
from worker.inference.quality import sharpness, turn_degrees
from worker.model.card import ModelCard
from worker.tracking import Sighting

MAX_FACES: Final = 64
"""Maximum number of faces per frame that are classified: the largest ones. The other faces are only
counted. Otherwise a picture of a crowd would keep the engine busy for seconds, and its event would
be late."""


@dataclass(frozen=True)
class DetectedFaces:
    """The faces of a picture.

    `crops` is uint8 (faces, size, size, 3), with a row per detection. `sightings` are the
    detections as the tracker needs them. `omitted` is the number of detected faces beyond
    MAX_FACES, which are left out.
    """

    width: int
    height: int
    detections: tuple[Detection, ...]
    crops: NDArray[np.uint8]
    decode_s: float
    detect_s: float
    sightings: tuple[Sighting, ...]
    omitted: int = 0
    detect_side: int | None = None


class FaceCropper:
    """Cuts faces out of the full picture, as the model was trained on them."""

    def __init__(self, card: ModelCard, detector: str, detect_side: int | None = None) -> None:
        """Crop for the detector of that name; events report `detect_side`, which is its own."""
        self._card = card
        self._geometry = card.crop_for(detector)
        self._detect_side = detect_side

    def crop(
        self,
        image: NDArray[np.uint8],
        detected: Sequence[Detection],
        decode_s: float,
        detect_s: float,
    ) -> DetectedFaces:
        """Crop the largest faces of a picture, which was decoded and detected in so many seconds.

        The time that cropping takes counts as detection.
        """
        began = time.perf_counter()
        detections = _largest(detected, MAX_FACES)
        size = self._card.input_size
        crops = np.empty((len(detections), size, size, 3), np.uint8)
        for crop, detection in zip(crops, detections, strict=True):
            crop[:] = preprocess(crop_face(image, detection.box, self._geometry), self._card)
        height, width = image.shape[:2]
        return DetectedFaces(
            width=width,
            height=height,
            detections=tuple(detections),
            crops=crops,
            decode_s=decode_s,
            detect_s=detect_s + time.perf_counter() - began,
            sightings=tuple(map(_sighting, detections, crops)),
            omitted=len(detected) - len(detections),
            detect_side=self._detect_side,
        )


class FaceDetectionStage:
    """Decodes, detects and crops, from any thread. Each thread gets its own detector."""

    def __init__(
        self,
        new_detector: Callable[[], Detector],
        card: ModelCard,
        detect_side: int | None = None,
    ) -> None:
        """Create the stage; events report `detect_side`, which is the detector's."""
        self._new_detector = new_detector
        self._local = threading.local()
        self.detector = new_detector().name
        self._cropper = FaceCropper(card, self.detector, detect_side)

    def run(self, jpeg: bytes, *, exact: bool = False) -> DetectedFaces:
        """Decode a picture, detect faces and crop them. Raises UnusablePictureError.

        `exact` is that of Detector.detect.
        """
        start = time.perf_counter()
        image = decode(jpeg)
        decoded = time.perf_counter()
        try:
            detected = self._detector().detect(image, exact=exact)
        except cv2.error as error:
            raise UnusablePictureError(f"the detector refused it: {error.err}") from error
        return self._cropper.crop(image, detected, decoded - start, time.perf_counter() - decoded)

    def _detector(self) -> Detector:
        detector: Detector | None = getattr(self._local, "detector", None)
        if detector is None:
            detector = self._local.detector = self._new_detector()
        return detector


def _sighting(detection: Detection, crop: NDArray[np.uint8]) -> Sighting:
    turn = turn_degrees(detection.landmarks)
    return Sighting(detection.box, detection.score, turn, sharpness(crop))


def _largest(detections: Sequence[Detection], count: int) -> list[Detection]:
    """Return at most `count` detections, the largest, in their original order."""
    if len(detections) <= count:
        return list(detections)
    by_area = sorted(detections, key=lambda found: -found.box.width * found.box.height)
    kept = set(map(id, by_area[:count]))
    return [found for found in detections if id(found) in kept]
