"""Face detectors behind one Protocol."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from emotion_streams.events import Box


@dataclass(frozen=True)
class Detection:
    """A face found: its box in pixels of the picture, and the detector's score, 0 to 1."""

    box: Box
    score: float


class Detector(Protocol):
    """Finds faces in pictures. Not thread-safe: each thread takes one of its own."""

    name: str
    """As in the model card's crop geometry and in every event."""

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """The faces in a uint8 BGR picture (height, width, 3), surest first."""
