"""The demo camera: a moving, zooming view of a portrait from scikit-image's wheel."""

import importlib.util
import math
from pathlib import Path
from typing import Final

import numpy as np

from producer.opencv import cv2
from producer.source import Format, NoSuchSourceError, Pixels

_SIZE: Final = (640, 480)
_FPS: Final = 30.0
_PERIOD_S: Final = 12.0
# At 1.25 the view is as wide as the portrait; the face is 110 to 160 pixels wide.
_ZOOM: Final = (1.25, 1.8)


class DemoSource:
    """A view that moves over a portrait in a cycle of 12 seconds, at 30 frames a second.

    The portrait is `astronaut` (public domain, NASA: Eileen Collins), 512 x 512.
    """

    live = False

    def __init__(self) -> None:
        self._portrait: Pixels | None = None
        self._index = -1

    def open(self) -> Format:
        """Load the portrait.

        Raises NoSuchSourceError if scikit-image is not installed, or if the portrait is missing or
        damaged.
        """
        self._portrait = load_portrait()
        self._index = -1
        return Format(*_SIZE, _FPS, "demo")

    def grab(self) -> float:
        """Advance to the next frame. Return its timestamp in seconds."""
        self._index += 1
        return self._index / _FPS

    def retrieve(self) -> Pixels:
        """Return the view of the current frame."""
        if self._portrait is None:
            raise NoSuchSourceError("the demo is not open")
        phase = 2 * math.pi * self._index / (_FPS * _PERIOD_S)
        low, high = _ZOOM
        zoom = low + (high - low) * (1 - math.cos(phase)) / 2
        width, height = _SIZE
        rows, columns = self._portrait.shape[:2]
        # The face is near the top, so the view stays near the top.
        left = (columns - width / zoom) * (1 + math.sin(2 * phase)) / 2
        top = (rows - height / zoom) / 4 * (1 + math.sin(3 * phase)) / 2
        view = np.array([[zoom, 0, -left * zoom], [0, zoom, -top * zoom]])
        return np.asarray(cv2.warpAffine(self._portrait, view, _SIZE), np.uint8)

    def close(self) -> None:
        """Release the portrait."""
        self._portrait = None


def load_portrait() -> Pixels:
    """Return the portrait, whose only face is 90 pixels wide, around (223, 120).

    Raises NoSuchSourceError if scikit-image is not installed, or if the portrait is missing or
    damaged.
    """
    path = _portrait_path()
    portrait = cv2.imread(str(path))
    if portrait is None:
        raise NoSuchSourceError(f"the demo's portrait {path} is missing or damaged")
    return np.asarray(portrait, np.uint8)


def _portrait_path() -> Path:
    # find_spec locates the package without an import, which would take a second and load scipy.
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise NoSuchSourceError(
            "the demo camera shows a portrait from the package scikit-image, which is not "
            "installed: pip install 'emotion-streams[local]', or give another --source"
        )
    return Path(spec.origin).parent / "data" / "astronaut.png"
