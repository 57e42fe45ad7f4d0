"""The places of frames in a recording, by their own timestamps."""

from typing import Final

_LONGEST_JUMP_MS: Final = 86_400_000
"""A larger step between two frames is a defect of the file, and would make ids that Redis cannot
continue from."""

_STEP_MS: Final = 1_000


class MediaClock:
    """Turns the timestamps of one recording into positions that never decrease."""

    def __init__(self) -> None:
        self._skipped_ms = 0
        self._last_ms = 0

    def position_ms(self, timestamp_s: float) -> int:
        """Return the place of the next frame, in milliseconds from the recording's beginning."""
        position_ms = max(round(timestamp_s * 1000) - self._skipped_ms, self._last_ms)
        if (jump_ms := position_ms - self._last_ms) > _LONGEST_JUMP_MS:
            self._skipped_ms += jump_ms - _STEP_MS
            position_ms = self._last_ms + _STEP_MS
        self._last_ms = position_ms
        return position_ms
