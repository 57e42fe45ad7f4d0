"""What a source of pictures is, and how one fails."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]
"""A picture of shape (height, width, 3), blue first."""

Picture: TypeAlias = Pixels | bytes
"""Pixels, or the JPEG that the camera sent."""


class SourceUnavailableError(Exception):
    """The source cannot be opened, or failed since: the text says why, without credentials.
    Trying again may help."""


class NoSuchSourceError(SourceUnavailableError):
    """What was asked for does not exist, or holds no pictures: a mistake in the settings more
    likely than a fault."""


class EndOfSourceError(Exception):
    """The last frame of a source that has an end was read."""


class UndecodableFrameError(Exception):
    """One frame is damaged; the next may be sound."""


def printable(path: Path) -> str:
    """The path as text that can be logged, printed and stored; a file name may be any bytes."""
    return os.fsencode(path).decode(errors="replace")


@dataclass(frozen=True)
class Format:
    """What an opened source says of itself: size in pixels, nominal frames per second (0 where it
    does not know), codec as the source names it."""

    width: int
    height: int
    fps: float
    codec: str


class Source(Protocol):
    """A source of pictures, used by one thread: opened, read to its end or until it fails, closed;
    then it may be opened again.

    `live`: frames come when they come, and must be taken as they do. What is not live waits, and
    is paced by the timestamps of its frames.
    """

    live: bool

    def open(self) -> Format:
        """Open it. Raises SourceUnavailableError."""
        ...

    def grab(self) -> float | None:
        """Advance to the next frame, waiting for it where the source is live; its own timestamp in
        seconds, None where it has none. Raises EndOfSourceError and SourceUnavailableError."""
        ...

    def retrieve(self) -> Picture:
        """The frame that was grabbed. Raises UndecodableFrameError."""
        ...

    def close(self) -> None:
        """Let go of it; harmless where it is not open."""
        ...
