"""The protocol of a picture source, and its errors."""

from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from emotion_streams.printable import printable

_LONGEST_REASON: Final = 4_000
"""More than the longest path. A report with the reason must remain shorter than 64 KiB."""

Pixels: TypeAlias = NDArray[np.uint8]
"""A picture of shape (height, width, 3) and dtype uint8, in BGR order."""

Picture: TypeAlias = Pixels | bytes
"""Pixels, or the JPEG as the camera sent it."""


class SourceError(Exception):
    """A source or one of its frames cannot be read. The text is the reason, printable and valid.

    Parts of the reason come from cameras and from names of files: it is logged, printed and stored.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(printable(reason[:_LONGEST_REASON]))


class SourceUnavailableError(SourceError):
    """The source cannot be opened, or failed after it was opened.

    The text gives the reason, without credentials. A retry may succeed.
    """


class NoSuchSourceError(SourceUnavailableError):
    """The source does not exist, or contains no pictures.

    A mistake in the settings is more likely than a fault.
    """


class EndOfSourceError(Exception):
    """The source has an end, and its last frame was read."""


class NoNewFrameError(Exception):
    """The source works, but has no new frame: its picture did not change, or is not due yet."""


class UndecodableFrameError(SourceError):
    """One frame is damaged. The next frame may be valid."""


@dataclass(frozen=True)
class Format:
    """Format that an opened source reports.

    The size is in pixels. `fps` is the nominal number of frames per second, 0 if unknown. `codec`
    is the source's own name for it.
    """

    width: int
    height: int
    fps: float
    codec: str


class Source(Protocol):
    """A source of pictures, used by one thread.

    A source is opened, read until it ends or fails, and closed. Then it may be opened again.

    `live`: the source sets the pace, and its frames must be read as they arrive. A source that is
    not live waits for its reader, and is paced by the timestamps of its frames.
    """

    live: bool

    def open(self) -> Format:
        """Open the source. Raises SourceUnavailableError."""
        ...

    def grab(self) -> float | None:
        """Advance to the next frame, and wait for it if the source is live.

        Return the frame's own timestamp in seconds, None if it has none. Raises EndOfSourceError,
        NoNewFrameError and SourceUnavailableError.
        """
        ...

    def retrieve(self) -> Picture:
        """Return the grabbed frame. Raises UndecodableFrameError."""
        ...

    def close(self) -> None:
        """Close the source. Has no effect if it is not open."""
        ...
