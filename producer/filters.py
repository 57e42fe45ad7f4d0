"""The filters that decide which frames are sent, and the pacing of files."""

from typing import Final

import numpy as np

from producer.opencv import cv2
from producer.source import Picture, Pixels, UndecodableFrameError

# No camera has a backlog that lasts longer than this.
_BACKLOG_LASTS_S: Final = 5.0
# Jitter of networks and of cameras that send in bursts. A frame with more extra delay was queued.
_JITTER_S: Final = 0.3
# Maximum drift of a camera's clock: the least delay seen so far is raised at this rate.
_DRIFT: Final = 0.05
_MAY_LAG_S: Final = 1.0
# Joined recordings and a recorder's motion clips jump by hours: continue after a short wait.
_MAX_WAIT_S: Final = 2.0

# Cells are large enough to average out sensor noise, and small compared with a face.
_GRID: Final = (64, 48)
# In grey levels, from 0 to 255.
_CELL_CHANGED: Final = 8
_AT_LEAST_EVERY_S: Final = 1.0


class RateLimiter:
    """Rate limiter: allows at most `fps` frames a second, evenly spaced by their timestamps."""

    def __init__(self, fps: float | None) -> None:
        self._interval_s: Final = 1 / fps if fps else 0.0
        self._due_s: float | None = None

    def allows(self, time_s: float) -> bool:
        """Return whether to send the frame with this timestamp. Timestamps must not go back."""
        if self._due_s is None or not self._interval_s:
            self._due_s = time_s
        # Cameras are not punctual: a frame that is slightly early is the one that is due.
        if time_s < self._due_s - self._interval_s / 10:
            return False
        # A fixed grid reduces 25 fps to 10 and not to 8.3. The grid restarts after a gap, so that
        # frames missed in the gap are not made up.
        self._due_s += self._interval_s
        if self._due_s <= time_s:
            self._due_s = time_s + self._interval_s
        return True


class Pacer:
    """Plays back a source that is not live at the rate of its timestamps."""

    def __init__(self) -> None:
        self._origin_s: float | None = None

    def wait_s(self, now_s: float, position_s: float) -> float:
        """Return how many seconds to wait before the frame at this position is due."""
        if self._origin_s is None:
            self._origin_s = now_s - position_s
        wait_s = self._origin_s + position_s - now_s
        if wait_s < -_MAY_LAG_S:
            # The machine slept or was overloaded: continue from here, without a burst of frames.
            self._origin_s -= wait_s
        elif wait_s > _MAX_WAIT_S:
            self._origin_s -= wait_s - _MAX_WAIT_S
        return min(max(0.0, wait_s), _MAX_WAIT_S)


class LateFrameFilter:
    """Drops frames that were delayed on their way from the camera.

    A stream that was held up, by probing at its start or by the network, delivers the frames that
    it kept in one burst. Absolute transit time is unknown, because the camera's clock is
    independent. A frame is late if it took 0.3 s longer than the fastest recent frame. At the
    start, until a transit time is known, the first frame and each frame that arrives more than
    twice as fast as it was captured is late.
    """

    def __init__(self) -> None:
        self._before: tuple[float, float] | None = None
        self._least_s: float | None = None
        self._late_since_s: float | None = None
        self._clock_trusted = True

    def allows(self, arrived_s: float, position_s: float) -> bool:
        """Return whether to send the frame, because it was not queued on its way.

        `position_s` is the frame's own timestamp.
        """
        if not self._clock_trusted:
            return True
        if not self._is_late(arrived_s, position_s):
            self._late_since_s = None
            return True
        if self._late_since_s is None:
            self._late_since_s = arrived_s
        # A backlog does not last this long: the camera's clock is wrong, so stop using it.
        self._clock_trusted = arrived_s - self._late_since_s < _BACKLOG_LASTS_S
        return not self._clock_trusted

    def _is_late(self, arrived_s: float, position_s: float) -> bool:
        took_s = arrived_s - position_s
        before, self._before = self._before, (arrived_s, position_s)
        if before is None:
            return True
        passed_s, claimed_s = arrived_s - before[0], position_s - before[1]
        if claimed_s <= 0:  # its clock was set back or does not advance
            self._least_s = took_s
        elif self._least_s is not None:
            self._least_s = min(took_s, self._least_s + passed_s * _DRIFT)
        elif passed_s >= claimed_s / 2:
            self._least_s = took_s
        return self._least_s is None or took_s - self._least_s > _JITTER_S


class MotionFilter:
    """Skips frames that barely differ from the last frame sent.

    A frame is skipped if less than the share `min_motion` of the picture changed since the last
    frame sent. One frame a second is sent regardless. If `min_motion` is 0, every frame is sent.
    """

    def __init__(self, min_motion: float) -> None:
        self._min_motion: Final = min_motion
        self._sent: Pixels | None = None
        self._sent_s = 0.0
        self._before_s = 0.0

    def allows(self, picture: Picture, arrived_s: float) -> bool:
        """Return whether to send the frame.

        `arrived_s` must not go back. Raises UndecodableFrameError.
        """
        if not self._min_motion:
            return True
        cells = _cells(picture)
        # The next frame is expected after up to 1.5 times the interval between the last two.
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
    """Return the picture as 64 x 48 mean grey levels."""
    if isinstance(picture, bytes):
        # At an eighth of its size, a JPEG is decoded from the means of its blocks alone.
        grey = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8)
        if grey is None:
            raise UndecodableFrameError(f"a JPEG of {len(picture)} bytes cannot be decoded")
        return np.asarray(cv2.resize(grey, _GRID, interpolation=cv2.INTER_AREA), np.uint8)
    small = cv2.resize(picture, _GRID, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
