"""What the benchmarks work on: a clip's frames as JPEGs, a release, the detectors' files."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.inference.detect.choose import YUNET_FILE
from worker.model import release
from worker.model.release import Release

_ROOT: Final = Path(__file__).parent.parent.parent
SHARED: Final = Path(os.environ.get("EMOTION_SHARED", _ROOT.parent / "shared"))
YUNET: Final = SHARED / "models" / "yunet" / YUNET_FILE
CLIP: Final = SHARED / "clips" / "face-demographics-walking-and-pause.avi"
"""Three faces in every frame, 480x270."""

_JPEG_QUALITY: Final = 90


class BadInputError(ValueError):
    """What a benchmark was given cannot be measured: why."""


@dataclass(frozen=True)
class Picture:
    """A frame of the clip, as a camera would store it."""

    jpeg: bytes
    width: int
    height: int


def pictures(clip: Path, width: int | None = None) -> list[Picture]:
    """The clip's frames, resized to `width` where given."""
    return [encoded(_scaled(image, width) if width else image) for image in images(clip)]


def images(clip: Path) -> list[NDArray[np.uint8]]:
    """The clip's frames, uint8 BGR."""
    video = cv2.VideoCapture(str(clip))
    frames = []
    while True:
        more, image = video.read()
        if not more:
            break
        frames.append(np.asarray(image, np.uint8))
    if not frames:
        raise BadInputError(f"{clip}: no frames (give a clip with --clip)")
    return frames


def fitted(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """The picture at this size, its faces undistorted: scaled to the width, and what its height
    lacks mirrored at its edges, what it exceeds cut off."""
    image = _scaled(image, width)
    above, missing = divmod(height - len(image), 2)
    if above < 0:
        image = image[-above : -above + height]
        return np.ascontiguousarray(image)
    below = above + missing
    framed = cv2.copyMakeBorder(image, above, below, 0, 0, cv2.BORDER_REFLECT)
    return np.asarray(framed, np.uint8)


def _scaled(image: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    size = (width, round(image.shape[0] * width / image.shape[1]))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def encoded(image: NDArray[np.uint8]) -> Picture:
    """The picture as a camera would store it."""
    jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
    return Picture(jpeg, image.shape[1], image.shape[0])


@contextmanager
def released(model: str, input_size: int | None) -> Iterator[tuple[str, Release]]:
    """A release and the name that a worker finds it by. With an `input_size` its weights are taken
    at another size: the network is fully convolutional, and what it costs is not in its weights."""
    loaded = release.load(model)
    if input_size in (None, loaded.card.input_size):
        yield model, loaded
        return
    with tempfile.TemporaryDirectory(prefix="emotion-bench-") as folder:
        card = replace(loaded.card, input_size=input_size or 0)
        release.save(Path(folder), card, loaded.weights)
        yield folder, release.load(folder)


def detector_file(detector: str) -> Path | None:
    """The local copy of YuNet's file where it is; None where there is none, or none is needed."""
    return YUNET if detector == "yunet" and YUNET.is_file() else None


def detector_options(detector: str) -> list[str]:
    """The worker's options for a detector."""
    file = detector_file(detector)
    return ["--detector", detector, *(("--detector-model", str(file)) if file else ())]
