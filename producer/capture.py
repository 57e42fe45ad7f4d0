"""The capture thread: opens the source, drains it, and reopens it after a failure."""

import logging
import threading
import time
from typing import Final, NamedTuple

from emotion_streams.backoff import Retries, delays
from emotion_streams.cameras import CameraState
from producer.captured import Arrival, Captured, FrameDates
from producer.frame_selector import FrameSelector, Selection
from producer.latest_value import LatestValue
from producer.messages import Counts
from producer.source import (
    EndOfSourceError,
    Format,
    NoNewFrameError,
    NoSuchSourceError,
    SourceUnavailableError,
    UndecodableFrameError,
)
from producer.timed_source import TimedSource

STABLE_FRAMES: Final = 25
"""A camera has recovered after this many frames in a row. The backoff is then reset."""

# Damaged frames in a row. After so many, the stream is considered broken.
_MAX_UNDECODABLE: Final = 50
_FIRST_DELAY_S: Final = 0.5
_WAIT_S: Final = 0.2

_log = logging.getLogger(__name__)


class RateSettings(NamedTuple):
    """How fast a source is read.

    `fps`: maximum number of frames per second that pass, None for no limit. `on_demand`: read a
    frame only when the publishing thread asks for one. `is_recording`: date frames by their own
    timestamps.
    """

    fps: float | None
    on_demand: bool
    is_recording: bool = False


class Capture:
    """Reads a source into a mailbox. Runs in its own thread; others may read its public attributes.

    `state`, `error`: as in Report. `format`: the format that the source reported at its last
    opening. `last_arrival_s`: when the newest frame arrived, by the monotonic clock; None before
    the first. `failed`: the source does not exist and `wait_for_source` is off. `wait_for_source`:
    retry a source that does not exist. `reconnect_s`: the longest delay between attempts, in
    seconds. `state_changed` is set when `state` changes.
    """

    def __init__(
        self,
        source: TimedSource,
        rate: RateSettings,
        reconnect_s: float,
        mailbox: LatestValue[Captured],
        counts: Counts,
        stop: threading.Event,
        state_changed: threading.Event,
        *,
        wait_for_source: bool,
    ) -> None:
        self._source = source
        self._rate = rate
        self._reconnect_s = reconnect_s
        self._latest = mailbox
        self._counts = counts
        self._stop = stop
        self._state_changed = state_changed
        self._wait_for_source = wait_for_source
        self._dates = FrameDates(is_recording=rate.is_recording)
        self._in_a_row = self._undecodable_in_a_row = 0
        self.state = CameraState.DOWN
        self.error = ""
        self.failed = False
        self.format = Format(0, 0, 0, "")
        self.last_arrival_s: float | None = None

    @property
    def stable(self) -> bool:
        """Whether at least STABLE_FRAMES frames came in a row."""
        return self._in_a_row >= STABLE_FRAMES

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
        longest_s = self._reconnect_s
        retries = Retries(
            SourceUnavailableError,
            self._on_unavailable,
            lambda: delays(min(_FIRST_DELAY_S, longest_s), longest_s),
            wait=self._stop.wait,
        )
        for attempt in retries:
            self._in_a_row = 0
            with attempt:
                self._open_and_read()
            if self.stable:
                retries.reset()

    def _open_and_read(self) -> None:
        """Open the source and read it until it ends or fails.

        Returns when `stop` is set. Raises EndOfSourceError and SourceUnavailableError.
        """
        try:
            self.format = self._source.open()
            _log.info("camera opened", extra=vars(self.format))
            selector = FrameSelector(self._rate.fps, live=self._source.live)
            self._undecodable_in_a_row = 0
            while not self._stop.is_set():
                if self._rate.on_demand and not self._latest.wait_for_demand(_WAIT_S):
                    continue
                if (arrival := self._next_frame(selector)) is not None:
                    self._retrieve(arrival)
        finally:
            self._source.close()

    def _next_frame(self, selector: FrameSelector) -> Arrival | None:
        """Grab a frame. Return its times, or None if the frame is not wanted."""
        try:
            position_s = self._source.grab()
        except NoNewFrameError:
            return None
        if not self._rate.on_demand:
            self._stop.wait(selector.wait_s(time.monotonic(), position_s))
        arrived_s = self.last_arrival_s = time.monotonic()
        self._counts.captured += 1
        match selector.select(arrived_s, position_s):
            case Selection.SELECTED:
                return Arrival(arrived_s, position_s)
            case Selection.LATE:
                self._counts.dropped_stale += 1
            case Selection.ABOVE_RATE:
                self._counts.rate_skipped += 1
                if self.state is CameraState.UP:  # not decoded; counts as valid, like those before
                    self._in_a_row += 1
        return None

    def _retrieve(self, arrival: Arrival) -> None:
        """Put the grabbed frame into the mailbox.

        A damaged frame is counted; raises SourceUnavailableError for many in a row.
        """
        try:
            picture = self._source.retrieve()
        except UndecodableFrameError as error:
            self._counts.undecodable += 1
            self._undecodable_in_a_row += 1
            _log.debug("frame skipped: %s", error)
            if self._source.live and self._undecodable_in_a_row >= _MAX_UNDECODABLE:
                raise SourceUnavailableError(
                    f"{self._undecodable_in_a_row} damaged frames in a row: {error}"
                ) from error
            return
        self._undecodable_in_a_row = 0
        self._count_valid_frame()
        if self._latest.put(self._dates.captured(picture, arrival)):
            self._counts.dropped_newer += 1

    def _count_valid_frame(self) -> None:
        self._in_a_row += 1
        self.error = ""
        if self.state is not CameraState.UP:
            self._set_state(CameraState.UP)

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
