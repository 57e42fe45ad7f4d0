"""Measures the position of a detector's boxes in the training pictures: the crop at serving."""

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
"""Geometry per data set and detector, measured on its training split by `emotion-streams training
geometry`. Other data sets are measured when a model is exported."""

ENOUGH: Final = 500
"""Number of faces whose median is exact to a hundredth."""


@dataclass(frozen=True)
class Measurement:
    """The geometry that turns a detector's boxes into the data set's own crops, as a median.

    `spread` is the interquartile range of the scale over the pictures.
    """

    geometry: CropGeometry
    spread: float
    detected: int
    pictures: int


def available_detectors(yunet: Path | None) -> Iterator[Detector]:
    """Yield the detectors that are available, YuNet from `yunet` if given; warn of others."""
    for name, model in (("yunet", yunet), ("haar", None)):
        try:
            yield build_detector(name, model)
        except DetectorUnavailableError as error:
            warn(f"no crop for {name}: {error}")


def build_detector(name: str, model: Path | None) -> Detector:
    """Build the detector with this name, YuNet from the file `model` if given.

    Raises DetectorUnavailableError, also without a home directory for a downloaded file.
    """
    try:
        return choose_detector(name, model)()
    except DetectorUnavailableError:
        raise
    except RuntimeError as error:  # from pathlib: an unknown user without HOME
        raise DetectorUnavailableError(
            f"{name} cannot be looked up: {error} Set HOME or XDG_CACHE_HOME, or give its file "
            "with --detector-model"
        ) from error


def sample(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Return about ENOUGH of the entries, evenly spaced."""
    return entries[:: max(len(entries) // ENOUGH, 1)]


def measure(entries: Iterable[Entry], detector: Detector) -> Measurement:
    """Run the detector on labelled faces, each in a canvas, and compare the boxes.

    Raises InvalidDataError if no face is detected, or if the boxes do not fit the faces.
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
