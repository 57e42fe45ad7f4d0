import math

import cv2
import numpy as np
import pytest

from worker.inference.detect import Landmarks
from worker.inference.quality import NOSE_DEPTH, sharpness, turn_degrees

EYES = 63.0
HEAD = {  # x to the picture's right, y down, z towards the camera, in millimetres
    "right_eye": (-EYES / 2, 0.0, 0.0),
    "left_eye": (EYES / 2, 0.0, 0.0),
    "nose": (0.0, 35.0, NOSE_DEPTH * EYES),
    "right_mouth": (-25.0, 65.0, 10.0),
    "left_mouth": (25.0, 65.0, 10.0),
}


def head(turn: float, tilt: float = 0.0, scale: float = 1.0) -> Landmarks:
    """The landmarks of a head that is turned to the side and tilted to the shoulder."""
    t, r = math.radians(turn), math.radians(tilt)
    points = []
    for x, y, z in HEAD.values():
        x_ = x * math.cos(t) + z * math.sin(t)
        points.append(
            (
                300 + scale * (x_ * math.cos(r) - y * math.sin(r)),
                200 + scale * (x_ * math.sin(r) + y * math.cos(r)),
            )
        )
    return tuple(points)


@pytest.mark.parametrize("turn", [-80.0, -45.0, -10.0, 0.0, 10.0, 45.0, 80.0])
def test_the_turn_of_a_head_is_found_at_every_size(turn: float) -> None:
    for scale in (0.2, 1.0, 5.0):
        assert turn_degrees(head(turn, scale=scale)) == pytest.approx(turn, abs=1e-6)


def test_a_frontal_head_that_is_tilted_a_little_is_hardly_turned() -> None:
    for tilt in (-20.0, 20.0):
        assert turn_degrees(head(0.0, tilt)) == pytest.approx(0.0, abs=1e-6)


def test_a_profile_with_its_eyes_at_one_place_has_no_direction() -> None:
    assert turn_degrees(((5.0, 5.0), (5.0, 5.0), (9.0, 7.0), (5.0, 9.0), (5.0, 9.0))) is None


def test_no_landmarks_no_turn() -> None:
    assert turn_degrees(None) is None


def picture(side: int, blur: float) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    face = cv2.GaussianBlur(noise, (0, 0), 1.5)
    if blur:
        face = cv2.GaussianBlur(face, (0, 0), blur)
    face = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    return np.repeat(np.asarray(face, np.uint8)[:, :, np.newaxis], 3, axis=2)


def test_the_more_a_face_is_blurred_the_less_sharp_it_is() -> None:
    found = [sharpness(picture(32, blur)) for blur in (0, 1, 2, 4)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 8 > found[-1]
    assert sharpness(np.full((32, 32, 3), 90, np.uint8)) == 0


def test_sharpness_hardly_depends_on_the_size_of_the_models_input() -> None:
    grey = picture(48, 0)
    large = np.asarray(cv2.resize(grey, (96, 96), interpolation=cv2.INTER_LINEAR), np.uint8)
    small = np.asarray(cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA), np.uint8)
    assert sharpness(large) == pytest.approx(sharpness(small), rel=0.15)
