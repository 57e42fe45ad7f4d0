"""A source whose calls have time limits that another thread can watch."""

import contextlib
import time
from collections.abc import Iterator

from producer.source import Format, NoNewFrameError, Picture, Source


class TimedSource:
    """Calls a source, and knows when the call should have returned; cv2 can hang.

    `open_s` and `read_s` are the limits, in seconds: to open the source, and for every other call.
    The methods of Source are for one thread, `silent_s` and `overdue_since_s` for any.
    """

    def __init__(self, source: Source, open_s: float, read_s: float) -> None:
        self._source = source
        self._open_s = open_s
        self._read_s = read_s
        self._deadline: float | None = None
        self._last_contact_s = time.monotonic()
        self.live = source.live

    def open(self) -> Format:
        """Open the source. Raises what Source.open raises."""
        with self._time_limit(self._open_s):
            return self._source.open()

    def grab(self) -> float | None:
        """Advance to the next frame. Returns and raises what Source.grab does."""
        try:
            with self._time_limit(self._read_s):
                position_s = self._source.grab()
        except NoNewFrameError:
            self._last_contact_s = time.monotonic()
            raise
        self._last_contact_s = time.monotonic()
        return position_s

    def retrieve(self) -> Picture:
        """Return the grabbed frame. Raises UndecodableFrameError."""
        with self._time_limit(self._read_s):
            return self._source.retrieve()

    def close(self) -> None:
        """Close the source. Has no effect if it is not open."""
        with self._time_limit(self._read_s):
            self._source.close()

    def silent_s(self) -> float:
        """Return the seconds since the source last gave or refused a frame, or since the start."""
        return time.monotonic() - self._last_contact_s

    @property
    def overdue_since_s(self) -> float | None:
        """When the limit of the call into the source was over, or None.

        By the monotonic clock. Each call has another limit.
        """
        deadline = self._deadline
        return None if deadline is None or time.monotonic() <= deadline else deadline

    @contextlib.contextmanager
    def _time_limit(self, limit_s: float) -> Iterator[None]:
        self._deadline = time.monotonic() + limit_s
        try:
            yield
        finally:
            self._deadline = None
