"""Where the faces are in a generated picture."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_FACES: Final = 64
"""A worker classifies no more in one frame."""

_LEAST_FACE: Final = 16.0
"""Width of a face in pixels, as the detector sees it. It finds faces from 12 pixels on."""

_DETECT_SIDE: Final = 640
"""Pictures wider than this are reduced to it for detection."""

_USUAL_SHARE: Final = 0.1
"""Width of a face, as a share of the picture's: a person at two metres from a webcam."""

_CELL_PER_FACE: Final = (2.8, 2.9)
"""Width and height of a cell in widths of its face: room for the head and its movement."""

_SMALLEST: Final = 0.8
"""Width of the smallest face, as a share of the largest one's."""


@dataclass(frozen=True)
class Place:
    """A face in a picture: its centre and its width, in pixels, and its number."""

    number: int
    x: float
    y: float
    width: float


def height_of(width: int) -> int:
    """Return the height of a picture of 16:9."""
    return round(width * 9 / 16)


def check_size(width: int, faces: int) -> None:
    """Raise ValueError if the detector could not find so many faces in a picture of this width."""
    if faces and _smallest_face(width, faces) < _LEAST_FACE:
        enough = next(
            (w for w in range(width, 8192, 16) if _smallest_face(w, faces) >= _LEAST_FACE), None
        )
        advice = f"take --width {enough}, or fewer --faces" if enough else "take fewer --faces"
        raise ValueError(
            f"--width {width} is too small for --faces {faces}: some would be "
            f"{_smallest_face(width, faces):.0f} pixels wide, and the detector needs "
            f"{_LEAST_FACE:.0f}; {advice}"
        )


def places(width: int, faces: int) -> Iterator[Place]:
    """Yield a place in the middle of a cell of its own for each face."""
    columns, rows = _grid(faces)
    height = height_of(width)
    largest = _largest_face(width, faces)
    for number in range(faces):
        row, column = divmod(number, columns)
        in_row = min(columns, faces - row * columns)
        share = _SMALLEST + (1 - _SMALLEST) * (number * 0.618 % 1)
        yield Place(
            number,
            (column + 0.5) * width / in_row,
            (row + 0.5) * height / rows,
            largest * share,
        )


def _grid(faces: int) -> tuple[int, int]:
    columns = max(1, math.ceil(math.sqrt(faces * 16 / 9)))
    return columns, max(1, math.ceil(faces / columns))


def _largest_face(width: int, faces: int) -> float:
    columns, rows = _grid(faces)
    cell = width / columns, height_of(width) / rows
    return min(
        _USUAL_SHARE * width,
        *(side / room for side, room in zip(cell, _CELL_PER_FACE, strict=True)),
    )


def _smallest_face(width: int, faces: int) -> float:
    return _SMALLEST * _largest_face(width, faces) * min(1.0, _DETECT_SIDE / width)
