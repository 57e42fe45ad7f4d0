"""The capture thread: opens the source, drains it, and reopens it after a failure."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from emotion_streams.backoff import delays
from producer.gates import Backlog, Pacer, RateCap
from producer.media_clock import MediaClock
from producer.messages import Counts, State
from producer.slot import Slot
from producer.source import (
    EndOfSourceError,
    Format,
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
    """A picture and its capture time.

    `captured_ms` is Unix time in milliseconds. It never decreases: if the clock is set back, it
    stays the same until the clock has caught up. `arrived_s` is the time of the monotonic clock in
    seconds. `position_ms`: the picture's place in a recording that is read on media time; its
    `captured_ms` and `arrived_s` then follow from that; else None.
    """

    picture: Picture
    captured_ms: int
    arrived_s: float
    position_ms: int | None = None


class Pace(NamedTuple):
    """How fast a source is read.

    `fps`: maximum number of admitted frames per second, None for no limit. `on_demand`: read a
    frame only when the publishing thread asks for one. `is_recording`: date the frames by their own
    timestamps, from `recorded_ms` on (Unix, milliseconds; None for now).
    """

    fps: float | None
    on_demand: bool
    is_recording: bool = False
    recorded_ms: int | None = None


class Limits(NamedTuple):
    """Time limits of a source in seconds: to open it, to read a frame, and between attempts."""

    open_s: float
    read_s: float
    reconnect_s: float


class _SessionPace(NamedTuple):
    """Timing state of one session, from one opening of the source to the next."""

    pacer: Pacer
    backlog: Backlog
    cap: RateCap


class _Grabbed(NamedTuple):
    """When a frame arrived, by the monotonic clock, and its own timestamp; in seconds."""

    arrived_s: float
    position_s: float | None


class Capture:
    """Reads a source into a slot. Runs in its own thread; others may read its public attributes.

    `state`, `error`, `last_frame_ms`: as in Report. `format`: the format that the source reported
    at its last opening. `failed`: the source does not exist and `patient` is off. `patient`: a
    source that does not exist is tried again. `news` is set when `state` changes.
    """

    def __init__(
        self,
        source: Source,
        pace: Pace,
        limits: Limits,
        slot: Slot[Captured],
        counts: Counts,
        stop: threading.Event,
        news: threading.Event,
        *,
        patient: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._pace = pace
        self._limits = limits
        self._slot = slot
        self._counts = counts
        self._stop = stop
        self._news = news
        self._patient = patient
        self._clock = clock
        self._media_clock = MediaClock(pace.recorded_ms, clock)
        self._in_a_row = 0
        self._deadline: float | None = None
        self._heard = time.monotonic()
        self.state = State.DOWN
        self.error = ""
        self.failed = False
        self.format = Format(0, 0, 0, "")
        self.last_frame_ms = 0

    @property
    def stable(self) -> bool:
        """Whether at least STABLE_FRAMES frames came in a row."""
        return self._in_a_row >= STABLE_FRAMES

    def silent_s(self) -> float:
        """Return the seconds since the newest frame arrived."""
        return time.monotonic() - self._heard

    def overdue_s(self) -> float:
        """Return the seconds by which a call into the source exceeds its limit; cv2 can hang."""
        deadline = self._deadline
        return 0.0 if deadline is None else max(0.0, time.monotonic() - deadline)

    def run(self) -> None:
        """Run until the source ends, does not exist, or `stop` is set.

        Closes the slot on normal completion only. After a crash the slot stays open, so that the
        process does not look finished.
        """
        self._run()
        self._slot.close()

    def _run(self) -> None:
        backoff = self._delays()
        while not self._stop.is_set():
            self._in_a_row = 0
            try:
                self._session()
            except EndOfSourceError:
                self._set_state(State.ENDED)
                return
            except SourceUnavailableError as error:
                self._unavailable(error)
                if self.failed:
                    return
            if self.stable:
                backoff = self._delays()
            self._stop.wait(next(backoff))

    def _delays(self) -> Iterator[float]:
        return delays(min(_FIRST_DELAY_S, self._limits.reconnect_s), self._limits.reconnect_s)

    def _session(self) -> None:
        """Open the source and read it until it ends or fails.

        Returns when `stop` is set. Raises EndOfSourceError and SourceUnavailableError.
        """
        try:
            with self._within(self._limits.open_s):
                self.format = self._source.open()
            _log.info("the camera is open", extra=vars(self.format))
            pace = _SessionPace(Pacer(), Backlog(), RateCap(self._pace.fps))
            undecodable = 0
            while not self._stop.is_set():
                if self._pace.on_demand and not self._slot.wait_until_wanted(_WAIT_S):
                    continue
                grabbed = self._next_frame(pace)
                if grabbed is None:
                    continue
                try:
                    with self._within(self._limits.read_s):
                        picture = self._source.retrieve()
                except UndecodableFrameError as error:
                    self._counts.undecodable += 1
                    undecodable += 1
                    _log.debug("a frame was left out: %s", error)
                    if self._source.live and undecodable >= _MAX_UNDECODABLE:
                        raise SourceUnavailableError(
                            f"{undecodable} damaged frames in a row: {error}"
                        ) from error
                    continue
                undecodable = 0
                self._note_sound_frame()
                self._hand_over(self._dated(picture, grabbed))
        finally:
            with self._within(self._limits.read_s):
                self._source.close()

    def _next_frame(self, pace: "_SessionPace") -> _Grabbed | None:
        """Grab a frame. Return its times, or None if the frame is not wanted."""
        with self._within(self._limits.read_s):
            position_s = self._source.grab()
        if position_s is not None and not self._source.live and not self._pace.on_demand:
            self._stop.wait(pace.pacer.wait_s(time.monotonic(), position_s))
        arrived_s = time.monotonic()
        self._note_arrival(arrived_s)
        is_wanted = self._wants(pace, arrived_s, position_s)
        return _Grabbed(arrived_s, position_s) if is_wanted else None

    def _dated(self, picture: Picture, grabbed: _Grabbed) -> Captured:
        if not self._pace.is_recording or grabbed.position_s is None:
            return Captured(picture, self.last_frame_ms, grabbed.arrived_s)
        captured_ms, position_ms = self._media_clock.date(grabbed.position_s)
        return Captured(picture, captured_ms, position_ms / 1000, position_ms)

    def _note_arrival(self, arrived_s: float) -> None:
        self._counts.captured += 1
        # The time never goes back, even if the clock is set back.
        self.last_frame_ms = max(self.last_frame_ms, int(self._clock() * 1000))
        self._heard = arrived_s

    def _note_sound_frame(self) -> None:
        self._in_a_row += 1
        self.error = ""
        if self.state is not State.UP:
            self._set_state(State.UP)

    def _wants(self, pace: "_SessionPace", arrived_s: float, position_s: float | None) -> bool:
        # The rate of a live source is limited by arrival times. The frame's own timestamp, if any,
        # shows whether the frame is late.
        if self._source.live:
            if position_s is not None and pace.backlog.is_late(arrived_s, position_s):
                self._counts.dropped_stale += 1
                return False
            position_s = None
        if pace.cap.admits(arrived_s if position_s is None else position_s):
            return True
        self._counts.rate_skipped += 1
        if self.state is State.UP:  # not decoded; counts as valid, like those before
            self._in_a_row += 1
        return False

    def _hand_over(self, captured: Captured) -> None:
        if self._slot.put(captured):
            self._counts.dropped_newer += 1

    def _unavailable(self, error: SourceUnavailableError) -> None:
        self.failed = isinstance(error, NoSuchSourceError) and not self._patient
        if str(error) != self.error and not self.failed:
            _log.warning("the camera is down, trying again: %s", error)
        self.error = str(error)
        self._counts.reconnects += 1
        self._set_state(State.DOWN)

    def _set_state(self, state: State) -> None:
        self.state = state
        self._news.set()

    @contextlib.contextmanager
    def _within(self, limit_s: float) -> Iterator[None]:
        self._deadline = time.monotonic() + limit_s
        try:
            yield
        finally:
            self._deadline = None
