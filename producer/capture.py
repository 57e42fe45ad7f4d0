"""The capture thread: opens the source, drains it, and reopens it after a failure."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from emotion_streams.backoff import Retries, delays
from emotion_streams.cameras import CameraState
from producer.filters import LateFrameFilter, Pacer, RateLimiter
from producer.latest_value import LatestValue
from producer.media_clock import MediaClock
from producer.messages import Counts
from producer.source import (
    EndOfSourceError,
    Format,
    NoNewFrameError,
    NoSuchSourceError,
    Picture,
    Source,
    SourceUnavailableError,
    UndecodableFrameError,
)

STABLE_FRAMES: Final = 25
"""A camera has recovered after this many frames in a row. The backoff is then reset."""

# Damaged frames in a row. After so many, the stream is considered broken.
_MAX_UNDECODABLE: Final = 50
_FIRST_DELAY_S: Final = 0.5
_WAIT_S: Final = 0.2

_log = logging.getLogger(__name__)


class Captured(NamedTuple):
    """A picture, and its time of arrival by the monotonic clock in seconds.

    `position_ms`: the picture's place in a recording that is dated by it; `arrived_s` then follows
    from that; else None.
    """

    picture: Picture
    arrived_s: float
    position_ms: int | None = None


class RateSettings(NamedTuple):
    """How fast a source is read.

    `fps`: maximum number of frames per second that pass, None for no limit. `on_demand`: read a
    frame only when the publishing thread asks for one. `is_recording`: date frames by their own
    timestamps.
    """

    fps: float | None
    on_demand: bool
    is_recording: bool = False


class Limits(NamedTuple):
    """Time limits of a source in seconds: to open it, to read a frame, and between attempts."""

    open_s: float
    read_s: float
    reconnect_s: float


class _SessionState(NamedTuple):
    """Timing state of one session, from one opening of the source to the next."""

    pacer: Pacer
    late_frames: LateFrameFilter
    rate: RateLimiter


class _Grabbed(NamedTuple):
    """When a frame arrived, by the monotonic clock, and its own timestamp; in seconds."""

    arrived_s: float
    timestamp_s: float | None


class Capture:
    """Reads a source into a mailbox. Runs in its own thread; others may read its public attributes.

    `state`, `error`: as in Report. `format`: the format that the source reported at its last
    opening. `last_arrival_s`: when the newest frame arrived, by the monotonic clock; None before
    the first. `failed`: the source does not exist and `wait_for_source` is off. `wait_for_source`:
    retry a source that does not exist. `state_changed` is set when `state` changes.
    """

    def __init__(
        self,
        source: Source,
        rate: RateSettings,
        limits: Limits,
        mailbox: LatestValue[Captured],
        counts: Counts,
        stop: threading.Event,
        state_changed: threading.Event,
        *,
        wait_for_source: bool,
    ) -> None:
        self._source = source
        self._rate = rate
        self._limits = limits
        self._latest = mailbox
        self._counts = counts
        self._stop = stop
        self._state_changed = state_changed
        self._wait_for_source = wait_for_source
        self._media_clock = MediaClock()
        self._in_a_row = 0
        self._deadline: float | None = None
        self._last_contact_s = time.monotonic()
        self.state = CameraState.DOWN
        self.error = ""
        self.failed = False
        self.format = Format(0, 0, 0, "")
        self.last_arrival_s: float | None = None

    @property
    def stable(self) -> bool:
        """Whether at least STABLE_FRAMES frames came in a row."""
        return self._in_a_row >= STABLE_FRAMES

    def silent_s(self) -> float:
        """Return the seconds since the source last gave or refused a frame, or since the start."""
        return time.monotonic() - self._last_contact_s

    @property
    def overdue_since_s(self) -> float | None:
        """When the limit of the call into the source was over, or None; cv2 can hang.

        By the monotonic clock. Each call has another limit.
        """
        deadline = self._deadline
        return None if deadline is None or time.monotonic() <= deadline else deadline

    def run(self) -> None:
        """Run until the source ends, does not exist, or `stop` is set.

        Closes the mailbox on normal completion only. After a crash it stays open, so that the
        process does not look finished.
        """
        try:
            self._run()
        except EndOfSourceError:
            self._set_state(CameraState.ENDED)
        except NoSuchSourceError:
            self.failed = True
        self._latest.close()

    def _run(self) -> None:
        longest_s = self._limits.reconnect_s
        retries = Retries(
            SourceUnavailableError,
            self._on_unavailable,
            lambda: delays(min(_FIRST_DELAY_S, longest_s), longest_s),
            wait=self._stop.wait,
        )
        for attempt in retries:
            self._in_a_row = 0
            with attempt:
                self._session()
            if self.stable:
                retries.reset()

    def _session(self) -> None:
        """Open the source and read it until it ends or fails.

        Returns when `stop` is set. Raises EndOfSourceError and SourceUnavailableError.
        """
        try:
            with self._time_limit(self._limits.open_s):
                self.format = self._source.open()
            _log.info("camera opened", extra=vars(self.format))
            session = _SessionState(Pacer(), LateFrameFilter(), RateLimiter(self._rate.fps))
            undecodable = 0
            while not self._stop.is_set():
                if self._rate.on_demand and not self._latest.wait_for_demand(_WAIT_S):
                    continue
                grabbed = self._next_frame(session)
                if grabbed is None:
                    continue
                try:
                    with self._time_limit(self._limits.read_s):
                        picture = self._source.retrieve()
                except UndecodableFrameError as error:
                    self._counts.undecodable += 1
                    undecodable += 1
                    _log.debug("frame skipped: %s", error)
                    if self._source.live and undecodable >= _MAX_UNDECODABLE:
                        raise SourceUnavailableError(
                            f"{undecodable} damaged frames in a row: {error}"
                        ) from error
                    continue
                undecodable = 0
                self._count_valid_frame()
                self._put(self._captured(picture, grabbed))
        finally:
            with self._time_limit(self._limits.read_s):
                self._source.close()

    def _next_frame(self, session: _SessionState) -> _Grabbed | None:
        """Grab a frame. Return its times, or None if the frame is not wanted."""
        try:
            with self._time_limit(self._limits.read_s):
                position_s = self._source.grab()
        except NoNewFrameError:
            self._last_contact_s = time.monotonic()
            return None
        if position_s is not None and not self._source.live and not self._rate.on_demand:
            self._stop.wait(session.pacer.wait_s(time.monotonic(), position_s))
        arrived_s = time.monotonic()
        self._count_arrival(arrived_s)
        passes = self._passes(session, arrived_s, position_s)
        return _Grabbed(arrived_s, position_s) if passes else None

    def _captured(self, picture: Picture, grabbed: _Grabbed) -> Captured:
        if not self._rate.is_recording or grabbed.timestamp_s is None:
            return Captured(picture, grabbed.arrived_s)
        position_ms = self._media_clock.position_ms(grabbed.timestamp_s)
        return Captured(picture, position_ms / 1000, position_ms)

    def _count_arrival(self, arrived_s: float) -> None:
        self._counts.captured += 1
        self.last_arrival_s = self._last_contact_s = arrived_s

    def _count_valid_frame(self) -> None:
        self._in_a_row += 1
        self.error = ""
        if self.state is not CameraState.UP:
            self._set_state(CameraState.UP)

    def _passes(self, session: _SessionState, arrived_s: float, position_s: float | None) -> bool:
        # The rate of a live source is limited by arrival times. The frame's own timestamp, if any,
        # shows whether the frame is late.
        if self._source.live:
            if position_s is not None and not session.late_frames.allows(arrived_s, position_s):
                self._counts.dropped_stale += 1
                return False
            position_s = None
        if session.rate.allows(arrived_s if position_s is None else position_s):
            return True
        self._counts.rate_skipped += 1
        if self.state is CameraState.UP:  # not decoded; counts as valid, like those before
            self._in_a_row += 1
        return False

    def _put(self, captured: Captured) -> None:
        if self._latest.put(captured):
            self._counts.dropped_newer += 1

    def _on_unavailable(self, error: SourceUnavailableError) -> None:
        final = isinstance(error, NoSuchSourceError) and not self._wait_for_source
        if str(error) != self.error and not final:
            _log.warning("camera down, retrying: %s", error)
        self.error = str(error)
        self._counts.reconnects += 1
        self._set_state(CameraState.DOWN)
        if final:
            raise error

    def _set_state(self, state: CameraState) -> None:
        self.state = state
        self._state_changed.set()

    @contextlib.contextmanager
    def _time_limit(self, limit_s: float) -> Iterator[None]:
        self._deadline = time.monotonic() + limit_s
        try:
            yield
        finally:
            self._deadline = None
