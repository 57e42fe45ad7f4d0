"""The mask of a camera: blackens polygons of a picture before anything else sees it."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from producer.opencv import cv2
from producer.polygons import Polygon
from producer.source import Pixels

_KEEP: Final = 255


class Mask:
    """Makes the pixels in `polygons` black. Their points are shares of the given picture.

    Every pixel that a polygon touches is black, and so is the next pixel outside its edge. Edges
    are hard: no pixel is a blend of black and the picture.
    """

    def __init__(self, polygons: Sequence[Polygon]) -> None:
        self._polygons = polygons
        self._kept: Pixels | None = None

    def __bool__(self) -> bool:
        return bool(self._polygons)

    def __call__(self, pixels: Pixels) -> Pixels:
        """Return a masked copy of the picture, or the picture itself if there are no polygons."""
        if not self._polygons:
            return pixels
        if self._kept is None or self._kept.shape != pixels.shape[:2]:
            self._kept = self._draw(*pixels.shape[:2])
        return np.asarray(cv2.bitwise_and(pixels, pixels, mask=self._kept), np.uint8)

    def _draw(self, height: int, width: int) -> Pixels:
        """Return an array of shape (height, width) that is 0 where the picture is masked."""
        kept = np.full((height, width), _KEEP, np.uint8)
        for polygon in self._polygons:
            corners = [(round(x * width), round(y * height)) for x, y in polygon]
            cv2.fillPoly(kept, [np.array(corners, np.int32)], (0,), cv2.LINE_8)
        # Corners and edges are rounded to pixels. One pixel more on each side covers the error.
        return np.asarray(cv2.erode(kept, np.ones((3, 3), np.uint8)), np.uint8)
