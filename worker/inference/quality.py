"""How well an emotion can be read from a face: how far it is turned, and how sharp it is."""

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.inference.detect import Landmarks

NOSE_DEPTH: Final = 0.45
"""How far the nose tip protrudes from the line between the eyes, as a part of the distance between
the eyes: about 28 of 63 mm. People differ by a fifth, and so does the tangent of the turn."""

SHARPNESS_SIDE: Final = 32
"""Side in pixels of the crop in which sharpness is measured, so that it does not depend on the
model's input."""


def turn_degrees(landmarks: Landmarks | None) -> float | None:
    """Return how far a head is turned to the side, -90 to 90; None without landmarks.

    0 looks into the camera, 90 to the picture's right. It follows from where the nose tip lies
    between the eyes: a head that is turned by t shows the eyes cos(t) apart, and the nose tip
    NOSE_DEPTH x sin(t) beside their middle. A head tilted to its shoulder does not change it.
    """
    if landmarks is None:
        return None
    (right_x, right_y), (left_x, left_y), (nose_x, nose_y) = landmarks[:3]
    across, down = left_x - right_x, left_y - right_y
    beside = nose_x - (left_x + right_x) / 2, nose_y - (left_y + right_y) / 2
    # Both are multiplied by the distance between the eyes, which may be 0.
    shift = beside[0] * across + beside[1] * down
    depth = NOSE_DEPTH * (across * across + down * down)
    if shift == depth == 0:
        return None
    return math.degrees(math.atan2(shift, depth))


def sharpness(crop: NDArray[np.uint8]) -> float:
    """Return the standard deviation of a crop's Laplacian; a blurred face has a small one.

    `crop` is uint8 (size, size, 3) from worker.inference.crop.preprocess.
    """
    grey = np.ascontiguousarray(crop[:, :, 1])
    if grey.shape[0] > SHARPNESS_SIDE:
        size = (SHARPNESS_SIDE, SHARPNESS_SIDE)
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    return float(deviation[0, 0])
