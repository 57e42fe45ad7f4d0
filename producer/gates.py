"""Which frames are worth sending."""

from typing import Final


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
