"""The process of one camera: reads it, publishes its frames, and reports. It can be killed anytime.

The settings arrive as a line of JSON on standard input, because a password must not appear on a
command line. The end of standard input means that the supervisor is gone, or that it asks this
process to stop. Reports go to standard output.
"""

import logging
import math
import os
import sys
import threading
from typing import Final

from emotion_streams.redaction import register_secret
from producer.camera_settings import DEFAULT_FPS
from producer.capture import Capture, Captured, Limits, Pace
from producer.gates import MotionGate
from producer.memory import limit_memory
from producer.messages import EXIT_FALLEN, EXIT_NO_SUCH_SOURCE, Counts, Order, Report, State
from producer.picture import Shaper, encode
from producer.publish import Publisher
from producer.slot import Slot
from producer.source import UndecodableFrameError
from producer.sources import make_source
from producer.stderr import NativeErrors
from service import logs

_REPORT_EVERY_S: Final = 0.5
_PUBLISHER_MAY_TAKE_S: Final = 0.3
_WAIT_S: Final = 0.2
_REFUSED_IN_A_ROW: Final = 10

_log = logging.getLogger(__name__)


class CameraProcess:
    """The capture, slot and publisher of one camera, and their threads."""

    def __init__(self, order: Order, errors: NativeErrors) -> None:
        settings = order.settings
        every = settings.policy == "every"
        self._stop = stop = threading.Event()
        self._news = threading.Event()
        self._every = every
        self._counts = Counts()
        self._refused_in_a_row, self._refusal = 0, ""
        self._slot: Slot[Captured] = Slot()
        self._shape = Shaper(settings.width, settings.rotate, settings.roi)
        self._motion = MotionGate(settings.min_motion)
        self._quality = settings.quality
        source = make_source(settings, errors)
        self._silence_limit_s = settings.read_timeout_s if source.live else math.inf
        self._capture = Capture(
            source,
            Pace(
                settings.fps if every else settings.fps or DEFAULT_FPS,
                on_demand=every,
                is_recording=settings.is_recording,
                recorded_ms=settings.recorded_ms,
            ),
            Limits(settings.open_timeout_s, settings.read_timeout_s, settings.reconnect_max_s),
            self._slot,
            self._counts,
            stop,
            self._news,
            patient=order.patient,
        )
        self._publisher = Publisher(
            order.redis_url,
            order.camera,
            settings.max_queued,
            None if every else settings.max_age_ms,
            self._counts,
            stop,
            fixed_ids=settings.is_recording and settings.recorded_ms is not None,
        )

    def run(self) -> int:
        """Run until the source ends or `stop` is called. Return the exit code."""
        threading.Thread(target=self._capture.run, daemon=True).start()
        publishing = threading.Thread(target=self._publish, daemon=True)
        publishing.start()
        while not self._stop.is_set():
            self._send_report()
            self._news.wait(_REPORT_EVERY_S)
            self._news.clear()
        publishing.join(_PUBLISHER_MAY_TAKE_S)
        self._send_report()
        return EXIT_NO_SUCH_SOURCE if self._capture.failed else 0

    def stop(self) -> None:
        """Ask `run` to return."""
        self._stop.set()
        self._news.set()

    def _publish(self) -> None:
        # Close and stop on normal completion only. After an error in this thread, the process exits
        # at once with EXIT_FALLEN, and must not look finished.
        self._publish_all()
        self._publisher.close()
        self.stop()

    def _publish_all(self) -> None:
        while not self._stop.is_set() and not self._slot.finished:
            # Wait for room first: the frame is then captured when it can be stored, and is not old.
            if self._every and not self._publisher.wait_for_room():
                break
            captured = self._slot.take(_WAIT_S)
            if captured is None:
                continue
            try:
                picture = self._shape(captured.picture)
                if not self._motion.admits(picture, captured.arrived_s):
                    self._counts.motion_skipped += 1
                    self._refused_in_a_row = 0  # not needed, but valid
                    continue
                encoded = encode(picture, self._quality)
            except UndecodableFrameError as error:
                self._counts.undecodable += 1
                self._note_refused(str(error))
                continue
            self._refused_in_a_row = 0
            self._publisher.store(encoded, captured.captured_ms, captured.position_ms)

    def _note_refused(self, why: str) -> None:
        """Count a picture that was read but cannot be sent.

        If 10 of them come in a row, the camera is reported as down.
        """
        self._refused_in_a_row += 1
        if self._refused_in_a_row == _REFUSED_IN_A_ROW:
            _log.warning("its pictures cannot be sent: %s", why)
        self._refusal = why

    def _send_report(self) -> None:
        capture = self._capture
        state, error = capture.state, capture.error
        silent_s = capture.silent_s()
        if state is State.UP and silent_s > self._silence_limit_s:
            state, error = State.DOWN, f"no frame for {silent_s:.0f} s"
        if state is State.UP and self._refused_in_a_row >= _REFUSED_IN_A_ROW:
            state, error = State.DOWN, f"its pictures cannot be sent: {self._refusal}"
        report = Report(
            state=state,
            error=error,
            width=capture.format.width,
            height=capture.format.height,
            codec=capture.format.codec,
            last_frame_ms=capture.last_frame_ms,
            overdue_s=capture.overdue_s(),
            redis_error=self._publisher.error,
            stable=capture.stable,
            counts=self._counts,
        )
        try:
            sys.stdout.write(report.to_line())
            sys.stdout.flush()
        except BrokenPipeError:  # the supervisor is gone
            self.stop()


def main() -> int:
    """Run the camera of the order on standard input. Return the exit code."""
    order = Order.from_line(sys.stdin.readline())
    for secret in order.secrets:
        register_secret(secret)
    limit_memory()
    errors = NativeErrors()
    errors.take_over()
    logs.set_up(order.log_level, order.log_format, camera=order.camera)
    threading.excepthook = _fall
    process = CameraProcess(order, errors)
    threading.Thread(target=_stop_at_end_of_input, args=(process,), daemon=True).start()
    return process.run()


def _fall(fall: threading.ExceptHookArgs) -> None:
    """Log an unexpected error of a thread, and exit at once so that the supervisor restarts."""
    _log.critical("%s", fall.exc_value, exc_info=fall.exc_value)
    logging.shutdown()
    os._exit(EXIT_FALLEN)


def _stop_at_end_of_input(process: CameraProcess) -> None:
    sys.stdin.read()
    process.stop()


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    # Do not use sys.exit: the capture thread may be in native code, which must not be unwound.
    os._exit(code)
