"""Reads the frames of a file as the producer does: the same frames, with the same positions."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from producer.media_clock import MediaClock
from producer.picture import decode
from producer.source import (
    EndOfSourceError,
    Pixels,
    SourceUnavailableError,
    UndecodableFrameError,
)
from producer.sources.file import FileSource

_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True)
class Format:
    """What a file says of itself. `frames` is an estimate of some containers, 0 if unknown."""

    width: int
    height: int
    fps: float
    codec: str
    frames: int


def read_format(path: Path) -> Format:
    """Return the file's format. Raises SourceUnavailableError if it is not a readable video."""
    source = FileSource(path, False, _TIMEOUT_S, _TIMEOUT_S)
    try:
        found = source.open()
        frames = max(0, source.frame_count())
        return Format(found.width, found.height, found.fps, found.codec, frames)
    finally:
        source.close()


def read_frames(path: Path) -> Iterator[tuple[int, Pixels]]:
    """Yield the position (ms) and the picture of each frame that can be decoded."""
    source = FileSource(path, False, _TIMEOUT_S, _TIMEOUT_S)
    clock = MediaClock()
    try:
        source.open()
        while True:
            try:
                timestamp_s = source.grab()
                picture = source.retrieve()
                pixels = decode(picture) if isinstance(picture, bytes) else picture
            except UndecodableFrameError:
                continue
            yield clock.position_ms(timestamp_s), pixels
    except (EndOfSourceError, SourceUnavailableError):
        return
    finally:
        source.close()
