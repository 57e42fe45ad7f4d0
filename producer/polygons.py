"""The polygons of a camera's `mask`: areas of the picture that are never sent."""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

Point: TypeAlias = tuple[float, float]
"""x and y as shares of the picture's width and height, from 0 to 1."""

Polygon: TypeAlias = tuple[Point, ...]
"""Corners in order around an area; no two of its edges cross."""

_Edge: TypeAlias = tuple[Point, Point]

MAX_POLYGONS: Final = 32
MAX_POINTS: Final = 100
_MIN_POINTS: Final = 3
_FLAT: Final = 1e-9


def parse_polygons(value: object) -> tuple[Polygon, ...]:
    """Parse polygons: a list of lists of points x,y, or the same as text.

    In text, points are separated by blanks and polygons by semicolons:
    `0,0 0.3,0 0.3,0.4; 0.8,0 1,0 1,0.2`. Raises ValueError, which names the first mistake.
    """
    polygons = _split(value) if isinstance(value, str) else value
    if not isinstance(polygons, list | tuple):
        raise ValueError("must be a list of polygons, each a list of points [x, y]")
    if len(polygons) > MAX_POLYGONS:
        raise ValueError(f"has {len(polygons)} polygons, the limit is {MAX_POLYGONS}")
    return tuple(
        _parse_polygon(points, f"polygon {number}") for number, points in enumerate(polygons, 1)
    )


def _split(text: str) -> list[list[list[str]]]:
    return [
        [point.split(",") for point in polygon.split()]
        for polygon in text.split(";")
        if polygon.strip()
    ]


def _parse_polygon(points: object, where: str) -> Polygon:
    if not isinstance(points, list | tuple):
        raise ValueError(f"{where} must be a list of points [x, y]")
    if not _MIN_POINTS <= len(points) <= MAX_POINTS:
        raise ValueError(
            f"{where} has {len(points)} points, must have {_MIN_POINTS} to {MAX_POINTS}"
        )
    polygon = tuple(
        _parse_point(point, f"{where}, point {number}") for number, point in enumerate(points, 1)
    )
    if _is_flat(polygon):
        raise ValueError(f"{where} has no area: its points are on one line")
    if (crossing := _crossing(polygon)) is not None:
        first, second = crossing
        raise ValueError(
            f"{where}: edges {first} and {second} cross or touch; "
            "list the points in order around the area"
        )
    return polygon


def _parse_point(point: object, where: str) -> Point:
    if not isinstance(point, list | tuple) or len(point) != 2:
        raise ValueError(f"{where} must be [x, y]")
    x, y = _shares(point, where)
    return x, y


def _shares(values: Sequence[object], where: str) -> Iterable[float]:
    for value in values:
        share = math.nan
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            try:
                share = float(value)
            except (ValueError, OverflowError):
                share = math.nan
        if not 0 <= share <= 1:  # false for NaN too
            raise ValueError(f"{where} must be shares of the picture from 0 to 1")
        yield share


def _is_flat(polygon: Polygon) -> bool:
    """Return whether all points are on one line."""
    x0, y0 = polygon[0]
    x1, y1 = max(polygon, key=lambda point: math.dist(point, polygon[0]))
    return all(abs((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)) < _FLAT for x, y in polygon)


def _crossing(polygon: Polygon) -> tuple[int, int] | None:
    """Return the numbers of the first two edges that meet elsewhere than neighbours do.

    Edge 1 leads from point 1 to point 2, the last one back to point 1. A polygon with such edges
    is drawn by the even-odd rule, so parts that it surrounds would stay visible.
    """
    ends = zip(polygon, (*polygon[1:], polygon[0]), strict=True)
    # A point that is repeated, such as the first one at the end of a closed ring, adds no edge.
    edges = [(number, edge) for number, edge in enumerate(ends, 1) if edge[0] != edge[1]]
    last = len(edges) - 1
    for (i, (first, one)), (j, (second, other)) in itertools.combinations(enumerate(edges), 2):
        if j - i not in (1, last) and _meet(one, other):
            return first, second
    return None


def _meet(one: _Edge, other: _Edge) -> bool:
    """Return whether two edges have a point in common."""
    return (
        _overlap(one, other, 0)
        and _overlap(one, other, 1)
        and _side(one, other[0]) * _side(one, other[1]) <= 0
        and _side(other, one[0]) * _side(other, one[1]) <= 0
    )


def _overlap(one: _Edge, other: _Edge, axis: int) -> bool:
    """Return whether two edges have a value of x (axis 0) or of y (axis 1) in common."""
    (a, b), (c, d) = ((start[axis], end[axis]) for start, end in (one, other))
    return min(a, b) <= max(c, d) and min(c, d) <= max(a, b)


def _side(edge: _Edge, point: Point) -> float:
    """Return a positive value on one side of the edge's line, a negative one on the other."""
    (x0, y0), (x1, y1) = edge
    return (x1 - x0) * (point[1] - y0) - (y1 - y0) * (point[0] - x0)
