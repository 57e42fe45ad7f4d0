"""The mask of a camera: blackens polygons of a picture before anything else sees it."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from producer.opencv import cv2
from producer.polygons import Polygon
from producer.source import Pixels

_KEEP: Final = 255


class Mask:
    """Makes the pixels in `polygons` black. Their points are shares of the given picture.

    Every pixel that a polygon touches is black, and so are one or two pixels outside its edge.
    Edges are hard: no pixel is a blend of black and the picture.
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
        # Twice as fine as the picture, so that the errors of drawing add up to one pixel at most.
        # With a border of a pixel, so that edges along the picture's own are drawn too.
        rows, columns = height + 2, width + 2
        fine = np.full((2 * rows, 2 * columns), _KEEP, np.uint8)
        for polygon in self._polygons:
            corners = [
                (math.floor(2 * (x * width + 1)), math.floor(2 * (y * height + 1)))
                for x, y in polygon
            ]
            cv2.fillPoly(fine, [np.array(corners, np.int32)], (0,), cv2.LINE_8)
        kept = np.minimum(fine[::2], fine[1::2])
        kept = np.minimum(kept[:, ::2], kept[:, 1::2])
        # Rounded corners and drawn lines are each wrong by one of the fine pixels at most.
        kept = cv2.erode(kept, np.ones((3, 3), np.uint8))
        return np.ascontiguousarray(kept[1:-1, 1:-1], np.uint8)
