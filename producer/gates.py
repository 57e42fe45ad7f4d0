"""When frames are due, and which are worth sending."""

from typing import Final

import numpy as np

from producer.opencv import cv2
from producer.source import Picture, Pixels, UndecodableFrameError

_BACKLOG_LASTS_S: Final = 5.0
_JITTER_S: Final = 0.3
# Of networks, and of cameras that send in bursts; what is later than that waited somewhere.
_DRIFT: Final = 0.05
# Of a camera's clock at most, and how fast the least delay is forgotten.
_MAY_LAG_S: Final = 1.0
_MAX_WAIT_S: Final = 2.0
# Two recordings joined, or a recorder's motion clips, jump by hours: go on after a moment.

_GRID: Final = (64, 48)
# Cells are large enough to average a sensor's noise away, and small beside a face.
_CELL_CHANGED: Final = 8
# Of 255 levels of grey.
_AT_LEAST_EVERY_S: Final = 1.0


class RateCap:
    """Lets at most `fps` frames a second through, by their timestamps, evenly."""

    def __init__(self, fps: float | None) -> None:
        self._interval_s: Final = 1 / fps if fps else 0.0
        self._due_s: float | None = None

    def admits(self, time_s: float) -> bool:
        """Whether the frame of this time goes through; times must not go back."""
        if self._due_s is None or not self._interval_s:
            self._due_s = time_s
        # Cameras are not punctual: a frame a little early is the one that was meant.
        if time_s < self._due_s - self._interval_s / 10:
            return False
        # On a grid, so that 25 becomes 10 and not 8.3; anew after a gap, so that none is made up.
        self._due_s += self._interval_s
        if self._due_s <= time_s:
            self._due_s = time_s + self._interval_s
        return True


class Pacer:
    """Shows the frames of a source that does not live at the times that they name."""

    def __init__(self) -> None:
        self._origin_s: float | None = None

    def wait_s(self, now_s: float, position_s: float) -> float:
        """How long to wait before the frame of this position is shown."""
        if self._origin_s is None:
            self._origin_s = now_s - position_s
        wait_s = self._origin_s + position_s - now_s
        if wait_s < -_MAY_LAG_S:
            # The machine slept or was overloaded: go on from here, not through all at once.
            self._origin_s -= wait_s
        elif wait_s > _MAX_WAIT_S:
            self._origin_s -= wait_s - _MAX_WAIT_S
        return min(max(0.0, wait_s), _MAX_WAIT_S)


class Backlog:
    """Tells frames that come late from those that come as they are captured.

    A stream that was held up, by probing it at its start or by the network, delivers what it kept
    in one go. How long a frame was on its way is not known, for the camera has a clock of its own,
    but how much longer than others: late is what took 0.3 s more than the fastest lately. At the
    start, while nothing is known of others, all are late that come faster than they were captured.
    """

    def __init__(self) -> None:
        self._before: tuple[float, float] | None = None
        self._least_s: float | None = None
        self._late_since_s: float | None = None
        self._believed = True

    def is_late(self, arrived_s: float, position_s: float) -> bool:
        """Whether this frame waited somewhere. `position_s`: its own time."""
        if not self._believed:
            return False
        if not self._lags(arrived_s, position_s):
            self._late_since_s = None
            return False
        if self._late_since_s is None:
            self._late_since_s = arrived_s
        # No camera's backlog lasts this long: it is its clock that is wrong.
        self._believed = arrived_s - self._late_since_s < _BACKLOG_LASTS_S
        return self._believed

    def _lags(self, arrived_s: float, position_s: float) -> bool:
        took_s = arrived_s - position_s
        before, self._before = self._before, (arrived_s, position_s)
        if before is None:
            return True
        passed_s, claimed_s = arrived_s - before[0], position_s - before[1]
        if claimed_s <= 0:  # its clock was set back, or stands still
            self._least_s = took_s
        elif self._least_s is not None:
            self._least_s = min(took_s, self._least_s + passed_s * _DRIFT)
        elif passed_s >= claimed_s / 2:
            self._least_s = took_s
        return self._least_s is None or took_s - self._least_s > _JITTER_S


class MotionGate:
    """Leaves out frames in which less than the share `min_motion` of the picture changed since the
    last one that went through; one a second goes through all the same. 0 lets all through."""

    def __init__(self, min_motion: float) -> None:
        self._min_motion: Final = min_motion
        self._sent: Pixels | None = None
        self._sent_s = 0.0
        self._before_s = 0.0

    def admits(self, picture: Picture, arrived_s: float) -> bool:
        """Whether the frame goes through. `arrived_s` must not go back. Raises
        UndecodableFrameError."""
        if not self._min_motion:
            return True
        cells = _cells(picture)
        # The next comes as long after this one as this one after that before, or half as much more.
        next_s = arrived_s + 1.5 * (arrived_s - self._before_s)
        self._before_s = arrived_s
        if (
            self._sent is not None
            and next_s - self._sent_s < _AT_LEAST_EVERY_S
            and np.mean(cv2.absdiff(cells, self._sent) > _CELL_CHANGED) < self._min_motion
        ):
            return False
        self._sent, self._sent_s = cells, arrived_s
        return True


def _cells(picture: Picture) -> Pixels:
    """The picture as 64 x 48 means of grey."""
    if isinstance(picture, bytes):
        # At an eighth of its size, a JPEG is decoded from its blocks' means alone.
        grey = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8)
        if grey is None:
            raise UndecodableFrameError(f"a JPEG of {len(picture)} bytes cannot be decoded")
        return np.asarray(cv2.resize(grey, _GRID, interpolation=cv2.INTER_AREA), np.uint8)
    small = cv2.resize(picture, _GRID, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
