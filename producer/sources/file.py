"""A video file as a camera."""

import logging
import os
from pathlib import Path
from typing import Final

from emotion_streams.printable import printable
from producer.source import (
    EndOfSourceError,
    Format,
    NoSuchSourceError,
    Picture,
    SourceUnavailableError,
    UndecodableFrameError,
)
from producer.sources.file_formats import OPTIONS, reason_of_refusal
from producer.sources.stream_reader import Decoding, StreamReader

# For a file without a rate whose frames have no timestamps.
_DEFAULT_FPS: Final = 25.0

_log = logging.getLogger(__name__)


class FileSource:
    """A file in any container and codec that FFmpeg supports. Its rotation is applied."""

    live = False

    def __init__(
        self,
        path: Path,
        loop: bool,
        open_timeout_s: float,
        read_timeout_s: float,
        decoding: Decoding = Decoding(),  # noqa: B008 - it is immutable
    ) -> None:
        self._path = path
        self._shown = printable(str(path))
        self._descriptor: int | None = None
        self._loop = loop
        self._timeouts = (open_timeout_s, read_timeout_s)
        self._reader = StreamReader(decoding, live=False)
        self._interval_s = 1 / _DEFAULT_FPS
        self._in_round = 0
        self._damaged = 0
        self._fault = ""
        self._last_s = -1.0
        self._offset_s = 0.0

    def open(self) -> Format:
        """Open the file. Raises NoSuchSourceError if it is missing or is not a video."""
        if self._path.exists() and not self._path.is_file():
            raise NoSuchSourceError(
                f"{self._shown}: not a file; a FIFO, socket or device is not read"
            )
        if not self._path.is_file():
            raise NoSuchSourceError(f"{self._shown}: no such file")
        if not os.access(self._path, os.R_OK):
            raise NoSuchSourceError(f"{self._shown}: this user may not read it")
        if not self._path.stat().st_size:
            raise NoSuchSourceError(f"{self._shown}: the file is empty")
        self._last_s = -1.0
        self._offset_s = 0.0
        return self._start_round()

    def grab(self) -> float:
        """Advance to the next frame, and if `loop` is set from the last frame to the first.

        Return its timestamp in seconds, which increases from frame to frame. Raises
        EndOfSourceError, NoSuchSourceError and SourceUnavailableError.
        """
        if not self._reader.grab():
            self._end_round()
            self._start_round()
            if not self._reader.grab():
                raise SourceUnavailableError(f"{self._shown}: no frame in it can be read")
        position_s = self._offset_s + self._reader.position_s()
        if self._in_round and position_s <= self._last_s:
            # Some containers have no timestamps, or the same timestamp for several frames.
            position_s = self._last_s + self._interval_s
        self._in_round += 1
        self._last_s = position_s
        return position_s

    def retrieve(self) -> Picture:
        """Return the grabbed frame. Raises UndecodableFrameError."""
        try:
            return self._reader.retrieve()
        except UndecodableFrameError as error:
            self._damaged += 1
            self._fault = str(error)
            raise

    def frame_count(self) -> int:
        """Return how many frames the opened file claims to have, 0 or less if it names none."""
        return self._reader.frame_count()

    @property
    def key_frame_interval_s(self) -> float | None:
        """The longest interval between key frames so far, None if unknown."""
        return self._reader.key_frame_interval_s

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _readable(self) -> str:
        """Return a path that OpenCV accepts. OpenCV crashes on names that are not UTF-8."""
        # FFmpeg reads a protocol named 16 in the relative path 16:38:41.mp4.
        path = str(self._path.absolute())
        try:
            path.encode()
        except UnicodeEncodeError:
            if self._descriptor is None:
                self._descriptor = os.open(path, os.O_RDONLY)
            return f"/proc/self/fd/{self._descriptor}"
        return path

    def _start_round(self) -> Format:
        opened = self._reader.open(self._readable(), *self._timeouts, OPTIONS)
        if opened is None:
            raise NoSuchSourceError(f"{self._shown}: {reason_of_refusal(self._path)}")
        self._interval_s = 1 / (opened.fps or _DEFAULT_FPS)
        self._in_round = self._damaged = 0
        return opened

    def _end_round(self) -> None:
        claimed = self._reader.frame_count()
        # Some containers only estimate the number of frames, from duration and rate.
        if claimed > self._in_round * 1.02 + 1 and not self._reader.only_key_frames:
            _log.warning(
                "the file ends early: cut off, or damaged",
                extra={"file": self._shown, "frames": self._in_round, "of": claimed},
            )
        if self._damaged:
            _log.warning(
                "%d of %d frames cannot be decoded, such as: %s",
                self._damaged,
                self._in_round,
                self._fault,
                extra={"file": self._shown},
            )
        if not self._in_round:
            raise NoSuchSourceError(f"{self._shown}: no frame in it can be read")
        if not self._loop:
            raise EndOfSourceError
        self._offset_s = self._last_s + self._interval_s
