"""The threads of one camera's process, and its reports to the supervisor on standard output."""

import logging
import math
import sys
import threading
import time
from typing import Final

from emotion_streams.cameras import CameraState
from producer.capture import Capture, RateSettings
from producer.captured import Captured
from producer.filters import MotionFilter
from producer.latest_value import LatestValue
from producer.messages import EXIT_NO_SUCH_SOURCE, CameraSpec, Counts, Report
from producer.native import NativeStderr
from producer.opencv import cv2
from producer.overdue import OverdueCall
from producer.picture import EncodedPicture, FrameTransform, encode
from producer.publish import Publisher
from producer.redis_clock import RedisClock
from producer.source import UndecodableFrameError
from producer.sources import make_source
from producer.timed_source import TimedSource

_REPORT_EVERY_S: Final = 0.5
_PUBLISHER_GRACE_S: Final = 0.3
_WAIT_S: Final = 0.2
_REFUSED_IN_A_ROW: Final = 10

_log = logging.getLogger(__name__)


class CameraProcess:
    """The capture, mailbox and publisher of one camera, and their threads."""

    def __init__(self, spec: CameraSpec, errors: NativeStderr) -> None:
        settings = spec.settings
        every = settings.policy == "every"
        self._stop = stop = threading.Event()
        self._state_changed = threading.Event()
        self._every = every
        self._counts = Counts()
        self._clock = RedisClock()
        self._refused_in_a_row, self._refusal = 0, ""
        self._overdue_call = OverdueCall(_REPORT_EVERY_S)
        self._latest: LatestValue[Captured] = LatestValue()
        self._transform = FrameTransform(
            settings.width, settings.rotate, settings.roi, settings.mask or ()
        )
        self._motion = MotionFilter(settings.min_motion)
        self._quality = settings.quality
        self._source = TimedSource(
            make_source(settings, errors), settings.open_timeout_s, settings.read_timeout_s
        )
        self._silence_limit_s = settings.read_timeout_s if self._source.live else math.inf
        self._capture = Capture(
            self._source,
            RateSettings(settings.max_fps, every, settings.is_recording),
            settings.reconnect_max_s,
            self._latest,
            self._counts,
            stop,
            self._state_changed,
            wait_for_source=spec.wait_for_source,
        )
        self._publisher = Publisher(
            spec.redis_url,
            spec.camera,
            settings.max_queued,
            None if every else settings.max_age_ms,
            self._counts,
            stop,
            self._clock,
            recorded_ms=settings.recorded_ms if settings.is_recording else None,
        )

    def run(self) -> int:
        """Run until the source ends or `stop` is called. Return the exit code."""
        threading.Thread(target=self._capture.run, daemon=True).start()
        publishing = threading.Thread(target=self._publish, daemon=True)
        publishing.start()
        while not self._stop.is_set():
            self._send_report()
            self._state_changed.wait(_REPORT_EVERY_S)
            self._state_changed.clear()
        publishing.join(_PUBLISHER_GRACE_S)
        self._send_report()
        return EXIT_NO_SUCH_SOURCE if self._capture.failed else 0

    def stop(self) -> None:
        """Ask `run` to return."""
        self._stop.set()
        self._state_changed.set()

    def _publish(self) -> None:
        # Close and stop on normal completion only. After an error in this thread, the process exits
        # at once with EXIT_CRASHED, and must not look finished.
        self._publish_all()
        self._publisher.close()
        self.stop()

    def _publish_all(self) -> None:
        while not self._stop.is_set() and not self._latest.finished:
            # Wait for room first: the frame is then captured when it can be stored, and is not old.
            if self._every and not self._publisher.wait_for_room():
                break
            captured = self._latest.take(_WAIT_S)
            if captured is None:
                continue
            try:
                encoded = self._encode(captured)
            except UndecodableFrameError as error:
                self._counts.undecodable += 1
                self._count_refused(str(error))
                continue
            self._refused_in_a_row = 0
            if encoded is None:
                self._counts.motion_skipped += 1  # not needed, but valid
            elif captured.position_ms is None:
                self._publisher.publish(encoded, captured.arrived_s)
            else:
                self._publisher.publish_recorded(encoded, captured.position_ms)

    def _encode(self, captured: Captured) -> EncodedPicture | None:
        """Return the picture to store, None if nothing in it moved.

        Raises UndecodableFrameError.
        """
        try:
            picture = self._transform(captured.picture)
            if not self._motion.allows(picture, captured.arrived_s):
                return None
            return encode(picture, self._quality)
        except (MemoryError, cv2.error) as error:
            # A process that crashed would begin a folder with the same picture again.
            reason = f"a picture cannot be processed: {error or 'out of memory'}"
            _log.warning("%s", reason)
            raise UndecodableFrameError(reason) from None

    def _count_refused(self, why: str) -> None:
        """Count a picture that was read but cannot be sent.

        If 10 of them come in a row, the camera is reported as down.
        """
        self._refused_in_a_row += 1
        if self._refused_in_a_row == _REFUSED_IN_A_ROW:
            _log.warning("pictures cannot be sent: %s", why)
        self._refusal = why

    def _send_report(self) -> None:
        capture = self._capture
        state, error = capture.state, capture.error
        silent_s = self._source.silent_s()
        arrived_s = capture.last_arrival_s
        age_s = None if arrived_s is None else time.monotonic() - arrived_s
        if state is CameraState.UP and silent_s > self._silence_limit_s:
            state, error = CameraState.DOWN, f"no frame for {silent_s:.0f} s"
        if state is CameraState.UP and self._refused_in_a_row >= _REFUSED_IN_A_ROW:
            state, error = CameraState.DOWN, f"pictures cannot be sent: {self._refusal}"
        report = Report(
            state=state,
            error=error,
            width=capture.format.width,
            height=capture.format.height,
            codec=capture.format.codec,
            last_frame_ms=(self._clock.unix_ms(age_s) if age_s is not None else None) or 0,
            last_frame_age_s=age_s,
            overdue_s=self._overdue_call.check(self._source.overdue_since_s),
            redis_error=self._publisher.error,
            stable=capture.stable,
            counts=self._counts,
        )
        try:
            sys.stdout.write(report.to_line())
            sys.stdout.flush()
        except BrokenPipeError:  # the supervisor is gone
            self.stop()
