"""The time of the command: how long a try lasts, and whether there is time for another one."""

import math
import time
from collections.abc import Callable
from typing import Final

LEAST_FRAMES: Final = 100
"""Frames that are due in a try. Of fewer, the 99th percentile would be the slowest one, and a
single frame that expires more than the share that may."""

_ENDING_S: Final = 6.0
"""What the end of the processes may take."""

_APART_FROM_WINDOW_S: Final = 5.0
"""What a try takes besides its measured seconds, until one has shown what it takes here."""


def window_s(cameras: int, fps: float, seconds: float) -> float:
    """Return how long to measure these cameras: `seconds`, or longer until enough frames come."""
    return max(seconds, LEAST_FRAMES / (cameras * fps))


def first_cameras(cores: int, fps: float, seconds: float) -> int:
    """Return with how many cameras to begin: one per core, or more if their frames are rare."""
    return max(cores, math.ceil(LEAST_FRAMES / (fps * seconds)))


class Budget:
    """The minutes that the command may take, from when this is made."""

    def __init__(
        self,
        minutes: float,
        *,
        fps: float,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._end_s = clock() + 60 * minutes - _ENDING_S
        self._fps = fps
        self._seconds = seconds
        self._apart_s = _APART_FROM_WINDOW_S

    @property
    def left_s(self) -> float:
        """The seconds that are left for tries."""
        return self._end_s - self._clock()

    def window_s(self, cameras: int) -> float:
        """Return how long to measure so many cameras."""
        return window_s(cameras, self._fps, self._seconds)

    def try_s(self, cameras: int) -> float:
        """Return how long a try takes, if it takes no longer than the longest one so far."""
        return self.window_s(cameras) + self._apart_s

    def allows(self, cameras: int) -> bool:
        """Return whether there is time for a try with so many cameras."""
        return self.try_s(cameras) <= self.left_s

    def observe(self, cameras: int, took_s: float) -> None:
        """Record how long a try with so many cameras took."""
        self._apart_s = max(self._apart_s, took_s - self.window_s(cameras))
