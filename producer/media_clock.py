"""Dates the frames of a recording by their own timestamps, not by when they are read."""

from collections.abc import Callable
from typing import Final, NamedTuple

_LONGEST_JUMP_MS: Final = 86_400_000
"""A larger step between two frames is a defect of the file, and would make ids that Redis cannot
continue from."""

_STEP_MS: Final = 1_000


class Dated(NamedTuple):
    """The time of a frame: `captured_ms` (Unix) and `position_ms` from the recording's beginning.

    Both in milliseconds.
    """

    captured_ms: int
    position_ms: int


class MediaClock:
    """Gives the frames of one recording their times; they never decrease.

    `recorded_ms`: when the recording began (Unix, milliseconds); None for the time at which its
    first frame is read. `clock` returns Unix time in seconds.
    """

    def __init__(self, recorded_ms: int | None, clock: Callable[[], float]) -> None:
        self._start_ms = recorded_ms
        self._clock = clock
        self._skipped_ms = 0
        self._last_ms = 0

    def date(self, position_s: float) -> Dated:
        """Return the time of the frame with this timestamp."""
        if self._start_ms is None:
            self._start_ms = int(self._clock() * 1000)
        position_ms = max(round(position_s * 1000) - self._skipped_ms, self._last_ms)
        if (jump_ms := position_ms - self._last_ms) > _LONGEST_JUMP_MS:
            self._skipped_ms += jump_ms - _STEP_MS
            position_ms = self._last_ms + _STEP_MS
        self._last_ms = position_ms
        return Dated(self._start_ms + position_ms, position_ms)
