"""The capture thread: opens the source, drains it, opens it again when it fails."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from emotion_streams.backoff import delays
from producer.gates import Backlog, Pacer, RateCap
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
"""After so many frames in a row a camera counts as recovered, and the backoff starts anew."""

_MAX_UNDECODABLE: Final = 50
# In a row; then it is the stream that is broken, not a frame.
_FIRST_DELAY_S: Final = 0.5
_WAIT_S: Final = 0.2

_log = logging.getLogger(__name__)


class Captured(NamedTuple):
    """A picture and when it was captured: Unix time in milliseconds, which stands still while the
    clock is set back; and by the monotonic clock, in seconds."""

    picture: Picture
    captured_ms: int
    arrived_s: float


class Pace(NamedTuple):
    """How fast a source is read. `fps`: frames let through per second at most, None for all.
    `on_demand`: only as the workers take them."""

    fps: float | None
    on_demand: bool


class Limits(NamedTuple):
    """Seconds that a source may take, to open and for a frame; and between tries at most."""

    open_s: float
    read_s: float
    reconnect_s: float


class _SessionPace(NamedTuple):
    """What knows of times between one opening and the next."""

    pacer: Pacer
    backlog: Backlog
    cap: RateCap


class Capture:
    """Runs in a thread of its own. Its public attributes may be read from others.

    `state`, `error`, `format`, `last_frame_ms`: as in Report. `failed`: the source does not exist,
    and `patient` is off. `patient`: what does not exist may come. `news` is set when `state`
    changes.
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
        """Frames have come for a while."""
        return self._in_a_row >= STABLE_FRAMES

    def silent_s(self) -> float:
        """How long ago the newest frame came."""
        return time.monotonic() - self._heard

    def overdue_s(self) -> float:
        """For how long a call into the source has outstayed its limit: cv2 can hang for good."""
        deadline = self._deadline
        return 0.0 if deadline is None else max(0.0, time.monotonic() - deadline)

    def run(self) -> None:
        """Until the source ends, does not exist, or `stop`. Closes the slot at the end; not where
        it falls, for nothing ended well then."""
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
        """From opening to the end or a failure, which it raises."""
        try:
            with self._within(self._limits.open_s):
                self.format = self._source.open()
            _log.info("the camera is open", extra=vars(self.format))
            pace = _SessionPace(Pacer(), Backlog(), RateCap(self._pace.fps))
            undecodable = 0
            while not self._stop.is_set():
                if self._pace.on_demand and not self._slot.wait_until_wanted(_WAIT_S):
                    continue
                arrived_s = self._next_frame(pace)
                if arrived_s is None:
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
                self._hand_over(Captured(picture, self.last_frame_ms, arrived_s))
        finally:
            with self._within(self._limits.read_s):
                self._source.close()

    def _next_frame(self, pace: "_SessionPace") -> float | None:
        """Grab a frame; when it arrived, or None where it is not wanted."""
        with self._within(self._limits.read_s):
            position_s = self._source.grab()
        if position_s is not None and not self._source.live and not self._pace.on_demand:
            self._stop.wait(pace.pacer.wait_s(time.monotonic(), position_s))
        arrived_s = time.monotonic()
        self._note_arrival(arrived_s)
        return arrived_s if self._wants(pace, arrived_s, position_s) else None

    def _note_arrival(self, arrived_s: float) -> None:
        self._counts.captured += 1
        # Never back, whatever is done to the clock.
        self.last_frame_ms = max(self.last_frame_ms, int(self._clock() * 1000))
        self._heard = arrived_s

    def _note_sound_frame(self) -> None:
        self._in_a_row += 1
        self.error = ""
        if self.state is not State.UP:
            self._set_state(State.UP)

    def _wants(self, pace: "_SessionPace", arrived_s: float, position_s: float | None) -> bool:
        # What is live is capped by arrival; its own time, where it tells one, shows what is late.
        if self._source.live:
            if position_s is not None and pace.backlog.is_late(arrived_s, position_s):
                self._counts.dropped_stale += 1
                return False
            position_s = None
        if pace.cap.admits(arrived_s if position_s is None else position_s):
            return True
        self._counts.rate_skipped += 1
        if self.state is State.UP:  # nobody looked at it: sound as those before it
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
