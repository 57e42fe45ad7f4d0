"""Converts YuNet's outputs to faces like OpenCV's FaceDetectorYN, for use with other runtimes."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from worker.inference.detect.yunet import MAX_CANDIDATES, NMS_THRESHOLD, SCORE_THRESHOLD

STRIDES: Final = (8, 16, 32)
"""Pixels of the input per cell of each level."""

OUTPUTS: Final = {
    f"{kind}_{stride}": numbers
    for kind, numbers in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))
    for stride in STRIDES
}
"""The outputs of the network, by name, with the numbers per cell."""

Faces = NDArray[np.float32]
"""(n, FACE_NUMBERS): left, top, width, height and the landmarks in pixels of the input, and the
score, 0 to 1."""


def decode(outputs: Mapping[str, NDArray[np.float32]], width: int) -> Faces:
    """Return the faces in one picture, highest score first.

    `outputs` are those in OUTPUTS. Each is (cells, numbers), with the cells row by row, for an
    input that is `width` pixels wide.
    """
    return suppress(np.concatenate([_level(outputs, stride, width) for stride in STRIDES]))


def suppress(faces: Faces) -> Faces:
    """Remove faces that overlap a face of higher score by more than NMS_THRESHOLD.

    The overlap is the intersection over union in whole pixels. Returns the remaining faces of the
    MAX_CANDIDATES with the highest scores, highest score first.
    """
    faces = faces[np.argsort(-faces[:, -1], kind="stable")[:MAX_CANDIDATES]]
    left, top, width, height = np.trunc(faces[:, :4].astype(np.float64)).T
    right, bottom, area = left + width, top + height, width * height
    waiting, kept = np.arange(len(faces)), []
    while len(waiting):
        surest, waiting = waiting[0], waiting[1:]
        kept.append(surest)
        across = np.minimum(right[surest], right[waiting]) - np.maximum(left[surest], left[waiting])
        down = np.minimum(bottom[surest], bottom[waiting]) - np.maximum(top[surest], top[waiting])
        common = np.maximum(across, 0) * np.maximum(down, 0)
        waiting = waiting[common <= NMS_THRESHOLD * (area[surest] + area[waiting] - common)]
    return faces[kept]


def _level(outputs: Mapping[str, NDArray[np.float32]], stride: int, width: int) -> Faces:
    """Return the candidates of one level."""
    cls, obj, bbox, kps = (outputs[f"{kind}_{stride}"] for kind in ("cls", "obj", "bbox", "kps"))
    scores = np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1))
    cells = np.flatnonzero(scores >= SCORE_THRESHOLD)
    boxes = bbox[cells]
    row, column = np.divmod(cells, width // stride)
    sides = np.exp(boxes[:, 2:]) * stride
    corners = np.stack([column, row], axis=1)
    centres = (corners + boxes[:, :2]) * stride
    points = (np.tile(corners, 5) + kps[cells]) * stride
    numbers = [centres - sides / 2, sides, points, scores[cells, np.newaxis]]
    return np.concatenate(numbers, axis=1).astype(np.float32)
