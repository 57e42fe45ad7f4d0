"""Face detectors behind one Protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from emotion_streams.faces import Box

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


class BatchDetector(Protocol):
    """Finds faces in batches of pictures. `prepare` and `faces` may run in any thread."""

    name: str
    """As in Detector."""

    max_batch: int
    """Maximum number of pictures in one call of candidates."""

    instances: int
    """Number of threads that call candidates at the same time."""

    def warm(self) -> None:
        """Compile and run every batch size that will be used, so that no frame waits for that."""

    def prepare(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
        """Return a BGR picture (height, width, 3) as it is given to candidates, and its scale.

        The result is a group of one picture, (1, rows, columns, 3). The scale is at most 1.
        """

    def candidates(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return a row per picture; the groups may have different sizes."""

    def faces(self, candidates: NDArray[np.float32], scale: float) -> list[Detection]:
        """Return the faces of one picture from its row and its scale, highest score first."""
