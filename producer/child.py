"""The process of one camera: reads it, publishes its frames, reports, and can be killed any time.

Settings come as a line of JSON on standard input, for no password may stand on a command line.
Input that ends means that the supervisor is gone, or wants this process to go. Reports go to
standard output.
"""

import json
import logging
import os
import signal
import sys
import threading
import time
from typing import Final, NamedTuple

from emotion_streams.service import logs
from producer.capture import Capture, Captured, Limits, Pace
from producer.picture import Preparer
from producer.publish import Publisher
from producer.report import EXIT_NO_SUCH_SOURCE, Counts, Report, State
from producer.settings import DEFAULT_FPS, CameraSettings
from producer.slot import Slot
from producer.sources import UndecodableFrame, make_source
from producer.stderr import NativeErrors

REPORT_EVERY_S: Final = 0.5
_PUBLISHER_MAY_TAKE_S: Final = 0.3
_WAIT_S: Final = 0.2


class Order(NamedTuple):
    """What the supervisor tells a camera's process. `patient`: wait for a source that does not
    exist, rather than give up."""

    camera: str
    redis_url: str
    log_level: str
    patient: bool
    settings: CameraSettings

    def to_line(self) -> str:
        """As JSON, with the newline."""
        return json.dumps({**self._asdict(), "settings": self.settings.model_dump()}) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "Order":
        """Parse what `to_line` made."""
        values = json.loads(line)
        return cls(**{**values, "settings": CameraSettings(**values["settings"])})


class CameraProcess:
    """Capture, slot and publisher of one camera, and the threads that they run in."""

    def __init__(self, order: Order, errors: NativeErrors, stop: threading.Event) -> None:
        settings = order.settings
        every = settings.policy == "every"
        self._stop = stop
        self._every = every
        self._counts = Counts()
        self._slot: Slot[Captured] = Slot()
        self._read_timeout_s = settings.read_timeout_s
        self._prepare = Preparer(settings.width, settings.quality)
        self._capture = Capture(
            make_source(settings, errors),
            Pace(settings.fps if every else settings.fps or DEFAULT_FPS, on_demand=every),
            Limits(settings.open_timeout_s, settings.read_timeout_s, settings.reconnect_max_s),
            self._slot,
            self._counts,
            stop,
            patient=order.patient,
        )
        self._publisher = Publisher(
            order.redis_url,
            order.camera,
            settings.max_queued,
            None if every else settings.max_age_ms,
            self._counts,
            stop,
        )

    def run(self) -> int:
        """Until the source ends or the process shall stop; the exit code."""
        threading.Thread(target=self._capture.run, daemon=True).start()
        publishing = threading.Thread(target=self._publish, daemon=True)
        publishing.start()
        while publishing.is_alive() and not self._stop.is_set():
            self._send_report()
            publishing.join(REPORT_EVERY_S)
        publishing.join(_PUBLISHER_MAY_TAKE_S)
        self._send_report()
        return EXIT_NO_SUCH_SOURCE if self._capture.failed else 0

    def _publish(self) -> None:
        while not self._stop.is_set() and not self._slot.finished:
            # Room first: a frame is captured when there is room for it, and so is never old.
            if self._every and not self._publisher.wait_for_room():
                break
            captured = self._slot.take(_WAIT_S)
            if captured is None:
                continue
            try:
                encoded = self._prepare(captured.picture)
            except UndecodableFrame:
                self._counts.undecodable += 1
                continue
            self._publisher.store(encoded, captured.captured_ms)
        self._publisher.close()

    def _send_report(self) -> None:
        capture = self._capture
        state, error = capture.state, capture.error
        silent_s = time.time() - capture.last_frame_ms / 1000
        if state is State.UP and silent_s > self._read_timeout_s:
            state, error = State.DOWN, f"no frame for {silent_s:.0f} s"
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
            self._stop.set()


def main() -> int:
    """Run one camera by the order on standard input."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    order = Order.from_line(sys.stdin.readline())
    errors = NativeErrors()
    errors.take_over()
    logs.set_up(order.log_level, camera=order.camera)
    threading.Thread(target=_stop_at_end_of_input, args=(stop,), daemon=True).start()
    return CameraProcess(order, errors, stop).run()


def _stop_at_end_of_input(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    # Not sys.exit: the capture thread may sit in native code, which must not be unwound.
    os._exit(code)
