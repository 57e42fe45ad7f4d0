"""Finding and cutting faces, with a detector of the test's own."""

import numpy as np
from numpy.typing import NDArray

from emotion_streams.faces import Box
from tests import samples
from worker.inference.detect import Detection
from worker.inference.faces import MAX_FACES, FaceDetectionStage
from worker.model.release import load


class Crowd:
    """Finds the given number of faces, each a pixel larger than the one before."""

    name = "yunet"

    def __init__(self, faces: int) -> None:
        self._faces = faces

    def detect(self, image: NDArray[np.uint8], *, exact: bool = False) -> list[Detection]:
        return [Detection(Box(0, 0, 10 + n, 10 + n), 0.9) for n in range(self._faces)]


def test_the_largest_faces_of_a_crowd_are_kept_and_the_others_counted() -> None:
    stage = FaceDetectionStage(lambda: Crowd(MAX_FACES + 36), load().card)
    found = stage.run(samples.jpeg(640, 480))
    assert (len(found.detections), len(found.crops), found.omitted) == (MAX_FACES, MAX_FACES, 36)
    assert min(detection.box.width for detection in found.detections) == 10 + 36


def test_a_usual_frame_omits_no_face() -> None:
    found = FaceDetectionStage(lambda: Crowd(MAX_FACES), load().card).run(samples.jpeg(640, 480))
    assert (len(found.detections), found.omitted) == (MAX_FACES, 0)
