"""How far apart the key frames of a stream are."""

import time
from collections.abc import Mapping
from typing import Final

from producer.opencv import cv2
from producer.sources.video_capture import codec, connect, is_key_frame, position_s

_LONGEST_SCAN_S: Final = 600.0
"""So much of a recording is examined, in its own time."""


class KeyFrames:
    """Measures the interval between key frames, by the timestamps of the frames.

    `interval_s`: the longest so far, None before the second key frame. `are_all`: every frame so
    far was a key frame. `in_order`: the frames arrive in the order in which they are shown.
    """

    def __init__(self) -> None:
        self._first_s: float | None = None
        self._key_s: float | None = None
        self._newest_s = 0.0
        self.interval_s: float | None = None
        self.are_all = True
        self.in_order = True

    def observe(self, position_s: float, *, is_key: bool) -> None:
        """Take the next frame into account."""
        if self._first_s is None:
            self._first_s = position_s
        elif position_s < self._newest_s:
            self.in_order = False
        self._newest_s = max(self._newest_s, position_s)
        if not is_key:
            self.are_all = False
            return
        if self._key_s is not None and position_s > self._key_s:
            self.interval_s = max(self.interval_s or 0.0, position_s - self._key_s)
        self._key_s = position_s

    @property
    def waited_s(self) -> float:
        """The video's time since the last key frame, or since the first frame."""
        since_s = self._first_s if self._key_s is None else self._key_s
        return self._newest_s - (since_s or 0.0)

    def are_within(self, longest_s: float) -> bool:
        """Return whether key frames are known to be at most so far apart."""
        return self.interval_s is not None and max(self.interval_s, self.waited_s) <= longest_s

    @property
    def watched_s(self) -> float:
        """The video's time since the first frame."""
        return self._newest_s - (self._first_s or 0.0)


def scan(
    url: str,
    timeouts_s: tuple[float, float],
    options: Mapping[str, str],
    longest_s: float,
    *,
    live: bool,
) -> KeyFrames | None:
    """Read a stream without decoding it, until its key frames are known or are too far apart.

    Of a recording 10 minutes are read, of a live stream one interval. Ends after the first of
    `timeouts_s`, which also limits each connection; the second limits each read. `longest_s`: the
    longest acceptable interval. Returns None if FFmpeg finds no video there.
    """
    deadline = time.monotonic() + timeouts_s[0]
    capture = connect(url, *timeouts_s, options)
    if capture is None:
        return None
    found = KeyFrames()
    # Packets of Motion JPEG are not read: all of them are key frames.
    if codec(capture) != "mjpg" and capture.set(cv2.CAP_PROP_FORMAT, -1):
        while time.monotonic() < deadline and capture.grab():
            found.observe(position_s(capture), is_key=is_key_frame(capture))
            is_known = found.interval_s is not None if live else found.watched_s > _LONGEST_SCAN_S
            if is_known or max(found.waited_s, found.interval_s or 0.0) > longest_s:
                break
    capture.release()
    return found
