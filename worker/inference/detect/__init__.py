"""Face detectors behind one Protocol."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from emotion_streams.events import Box

Landmarks = tuple[tuple[float, float], ...]
"""Five points."""


@dataclass(frozen=True)
class Detection:
    """A detected face: its box in pixels of the picture, and the detector's score, 0 to 1.

    `landmarks`: right eye, left eye, nose tip, right and left corner of the mouth, as (x, y) in
    pixels of the picture; None if the detector finds none. Right and left are the person's own.
    """

    box: Box
    score: float
    landmarks: Landmarks | None = None


class Detector(Protocol):
    """Finds faces in pictures. It is not thread-safe: each thread needs its own detector."""

    name: str
    """The name that the model card's crop geometry and every event use."""

    def detect(self, image: NDArray[np.uint8], *, exact: bool = False) -> list[Detection]:
        """Return the faces in a uint8 BGR picture (height, width, 3), highest score first.

        `exact`: the result must follow from the picture alone, even if it takes longer.
        """
