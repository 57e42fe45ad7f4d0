"""Where each detector's box lies in the training pictures, and so how a crop is cut at serving."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from training.crops import detect_labelled, place
from training.datasets import Entry, InvalidDataError, UnreadablePictureError
from training.datasets.entry import warn
from worker.inference.detect import Detector
from worker.inference.detect.choose import DetectorUnavailableError, choose_detector
from worker.model.card import CropGeometry

MEASURED: Final = {
    "FER+": {
        "yunet": CropGeometry(1.065, 0.0, 0.01),
        "haar": CropGeometry(1.013, 0.0, 0.0),
    }
}
"""Per data set and detector, on its Train, by `python -m training geometry`. A data set that is not
here is measured when a model is exported."""

ENOUGH: Final = 500
"""Faces whose median is exact to a hundredth."""


@dataclass(frozen=True)
class Measurement:
    """The geometry that turns a detector's boxes into the data set's own crops, in the median.

    `spread` is the interquartile range of the scale that single pictures would want.
    """

    geometry: CropGeometry
    spread: float
    detected: int
    pictures: int


def available_detectors(yunet: Path | None) -> Iterator[Detector]:
    """Those that can be had here, YuNet from that file if given; stderr hears of the others."""
    for name, model in (("yunet", yunet), ("haar", None)):
        try:
            yield build_detector(name, model)
        except DetectorUnavailableError as error:
            warn(f"no crop for {name}: {error}")


def build_detector(name: str, model: Path | None) -> Detector:
    """The detector of that name, YuNet from that file if given. Raises DetectorUnavailableError,
    also if there is no home directory to keep a download in."""
    try:
        return choose_detector(name, model)()
    except DetectorUnavailableError:
        raise
    except RuntimeError as error:  # pathlib's, where an unknown user has no HOME
        raise DetectorUnavailableError(
            f"{name} cannot be looked up: {error} Set HOME or XDG_CACHE_HOME, or give its file "
            "with --detector-model"
        ) from error


def sample(entries: Sequence[Entry]) -> Sequence[Entry]:
    """ENOUGH of the entries, evenly over all of them."""
    return entries[:: max(len(entries) // ENOUGH, 1)]


def measure(entries: Iterable[Entry], detector: Detector) -> Measurement:
    """Run the detector over labelled faces, each in a canvas, and compare its boxes with them.

    Raises InvalidDataError where no face is detected, or the boxes are of something else.
    """
    scales, shifts, pictures = [], [], 0
    for entry in entries:
        try:
            placed = place(entry.read(), entry.box)
        except UnreadablePictureError:
            continue
        pictures += 1
        if (box := detect_labelled(placed, detector)) is None:
            continue
        side = (placed.face.width + placed.face.height) / 2
        scales.append(side / ((box.width + box.height) / 2))
        shifts.append(
            (
                (placed.face.x + placed.face.width / 2 - box.x - box.width / 2) / side,
                (placed.face.y + placed.face.height / 2 - box.y - box.height / 2) / side,
            )
        )
    if not scales:
        raise InvalidDataError(f"{detector.name} finds none of {pictures} faces")
    shift_x, shift_y = np.median(shifts, axis=0)
    low, middle, high = np.percentile(scales, (25, 50, 75))
    try:
        geometry = CropGeometry(*(round(float(v), 3) for v in (middle, shift_x, shift_y)))
    except ValueError as error:
        raise InvalidDataError(
            f"{detector.name} finds other things than these faces: {error}"
        ) from error
    return Measurement(geometry, round(float(high - low), 3), len(scales), pictures)
