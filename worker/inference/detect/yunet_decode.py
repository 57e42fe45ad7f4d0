"""From YuNet's outputs to faces, as OpenCV's FaceDetectorYN does it: for whatever else runs it."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from worker.inference.detect.yunet import MAX_CANDIDATES, NMS_THRESHOLD, SCORE_THRESHOLD

STRIDES: Final = (8, 16, 32)
"""Pixels of the input per cell of each level."""

OUTPUTS: Final = {
    f"{kind}_{stride}": numbers
    for kind, numbers in (("cls", 1), ("obj", 1), ("bbox", 4))
    for stride in STRIDES
}
"""What is read of the network's outputs, by name, with the numbers per cell. Landmarks are not."""

Faces = NDArray[np.float32]
"""(n, 5): left, top, width, height in pixels of the input, and the score, 0 to 1."""


def decode(outputs: Mapping[str, NDArray[np.float32]], width: int) -> Faces:
    """The faces in one picture, surest first. `outputs` are those in OUTPUTS, each (cells, numbers)
    row by row of an input that is `width` pixels wide."""
    return suppress(np.concatenate([_level(outputs, stride, width) for stride in STRIDES]))


def suppress(faces: Faces) -> Faces:
    """Without those that overlap a surer one by more than NMS_THRESHOLD, as intersection over
    union of whole pixels; surest first, of the MAX_CANDIDATES surest."""
    faces = faces[np.argsort(-faces[:, 4], kind="stable")[:MAX_CANDIDATES]]
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
    """Candidates of one level."""
    cls, obj, bbox = (outputs[f"{kind}_{stride}"] for kind in ("cls", "obj", "bbox"))
    scores = np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1))
    cells = np.flatnonzero(scores >= SCORE_THRESHOLD)
    boxes = bbox[cells]
    row, column = np.divmod(cells, width // stride)
    sides = np.exp(boxes[:, 2:]) * stride
    centres = (np.stack([column, row], axis=1) + boxes[:, :2]) * stride
    return np.concatenate([centres - sides / 2, sides, scores[cells, np.newaxis]], axis=1).astype(
        np.float32
    )
