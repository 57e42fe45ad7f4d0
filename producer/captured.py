"""Captured frames, and how they are dated: by their arrival, or by their place in a recording."""

from typing import NamedTuple

from producer.media_clock import MediaClock
from producer.source import Picture


class Captured(NamedTuple):
    """A picture, and its time of arrival by the monotonic clock in seconds.

    `position_ms`: the picture's place in a recording that is dated by it; `arrived_s` then follows
    from that; else None.
    """

    picture: Picture
    arrived_s: float
    position_ms: int | None = None


class Arrival(NamedTuple):
    """When a frame arrived, by the monotonic clock, and its own timestamp; in seconds."""

    arrived_s: float
    timestamp_s: float | None


class FrameDates:
    """Dates the frames of a source.

    `is_recording`: date them by their own timestamps, if they have one.
    """

    def __init__(self, *, is_recording: bool) -> None:
        self._is_recording = is_recording
        self._media_clock = MediaClock()

    def captured(self, picture: Picture, arrival: Arrival) -> Captured:
        """Return the picture with its date. Call it in the order of the frames."""
        if not self._is_recording or arrival.timestamp_s is None:
            return Captured(picture, arrival.arrived_s)
        position_ms = self._media_clock.position_ms(arrival.timestamp_s)
        return Captured(picture, position_ms / 1000, position_ms)
