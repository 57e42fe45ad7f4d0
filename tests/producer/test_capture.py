"""The capture thread: what it does with sources that fail in every way."""

import threading
import time
from collections.abc import Iterator

import pytest

from emotion_streams.cameras import CameraState
from producer.capture import Capture, RateSettings
from producer.captured import Captured
from producer.latest_value import LatestValue
from producer.messages import Counts
from producer.source import (
    EndOfSourceError,
    Format,
    NoSuchSourceError,
    Picture,
    SourceUnavailableError,
    UndecodableFrameError,
)
from producer.timed_source import TimedSource
from tests.peers.pictures import jpeg
from tests.servers import PATIENCE_S, eventually

JPEG = jpeg(64, 48)


class Script:
    """A source that follows a script: each session is a list of what `grab` finds, a time or
    an error; None as a time means a damaged frame."""

    def __init__(self, *sessions: list[float | Exception | None], live: bool = False) -> None:
        self.live = live
        self.opened = 0
        self.closed = 0
        self._sessions = iter(sessions)
        self._steps: Iterator[float | Exception | None] = iter(())
        self._sound = True

    def open(self) -> Format:
        self.opened += 1
        try:
            self._steps = iter(next(self._sessions))
        except StopIteration:
            raise NoSuchSourceError("it is over") from None
        return Format(64, 48, 10, "script")

    def grab(self) -> float | None:
        step = next(self._steps, SourceUnavailableError("the script has no more"))
        if isinstance(step, Exception):
            raise step
        self._sound = step is not None
        return None if self.live else step or 0.0

    def retrieve(self) -> Picture:
        if not self._sound:
            raise UndecodableFrameError("damaged")
        return JPEG

    def close(self) -> None:
        self.closed += 1


class Run:
    """A capture of a script, run to its end."""

    def __init__(
        self,
        script: Script,
        fps: float | None = None,
        *,
        wait_for_source: bool = False,
        on_demand: bool = False,
    ) -> None:
        self.counts, self.latest, self.stop = Counts(), LatestValue[Captured](), threading.Event()
        self.taken: list[Captured] = []
        self.capture = Capture(
            TimedSource(script, 1, 1), RateSettings(fps, on_demand), 0.01, self.latest,
            self.counts, self.stop, threading.Event(), wait_for_source=wait_for_source,
        )  # fmt: skip
        self.thread = threading.Thread(target=self.capture.run)
        self.thread.start()

    def take_all(self) -> "Run":
        while not self.latest.finished:
            if (captured := self.latest.take(0.05)) is not None:
                self.taken.append(captured)
        self.thread.join(PATIENCE_S)
        return self


def test_ended_source_delivers_its_last_frame_and_sets_the_state_ended() -> None:
    run = Run(Script([0.0, 0.01, 0.02, EndOfSourceError()]), on_demand=True).take_all()
    assert len(run.taken) == 3
    assert run.capture.state is CameraState.ENDED
    assert run.counts.captured == 3


def test_failed_source_is_closed_and_reopened() -> None:
    script = Script(
        [0.0, SourceUnavailableError("gone")],
        [SourceUnavailableError("gone")],
        [0.0, EndOfSourceError()],
    )
    run = Run(script, on_demand=True).take_all()
    assert run.counts.reconnects == 2
    assert (script.opened, script.closed) == (3, 3)
    assert run.capture.state is CameraState.ENDED
    assert len(run.taken) == 2


def test_rate_limiter_is_reset_with_each_session() -> None:
    first: list[float | Exception | None] = [0.0, 10.0, 20.0, SourceUnavailableError("gone")]
    run = Run(Script(first, [0.0, 1.0, EndOfSourceError()]), fps=1, on_demand=True).take_all()
    assert len(run.taken) == 5


def test_missing_source_ends_the_capture_unless_it_waits_for_the_source() -> None:
    run = Run(Script()).take_all()
    assert run.capture.failed
    assert run.capture.error == "it is over"
    wait_for_source = Run(Script(), wait_for_source=True)
    eventually(lambda: wait_for_source.counts.reconnects >= 3)
    wait_for_source.stop.set()
    wait_for_source.thread.join(PATIENCE_S)
    assert not wait_for_source.capture.failed


def test_many_damaged_frames_in_a_row_reopen_the_source() -> None:
    damaged = Script([*[None] * 60, EndOfSourceError()], live=True)
    run = Run(damaged).take_all()
    assert run.counts.undecodable == 50
    assert run.counts.reconnects >= 1


@pytest.mark.parametrize("fps", [None, 3])
def test_camera_with_only_damaged_frames_is_never_up_or_stable(fps: float | None) -> None:
    broken: list[float | Exception | None] = [*[None] * 60]
    run = Run(Script(broken, broken, live=True), fps=fps)
    states = {run.capture.state, run.capture.stable}
    while run.thread.is_alive():
        states |= {run.capture.state, run.capture.stable}
    assert states == {CameraState.DOWN, False}
    assert run.capture.error


def test_valid_frames_make_a_camera_stable_even_with_damaged_ones_among_them() -> None:
    run = Run(Script([0.0, None] * 25 + [EndOfSourceError()]), on_demand=True).take_all()
    assert run.capture.stable
    assert run.counts.undecodable == 25


def test_frame_has_its_time_of_arrival_by_the_monotonic_clock() -> None:
    before = time.monotonic()
    run = Run(Script([0.0, 0.01, 0.02, EndOfSourceError()]), on_demand=True).take_all()
    times = [before, *(captured.arrived_s for captured in run.taken), time.monotonic()]
    assert times == sorted(times)


def test_unexpected_error_does_not_look_like_the_end_of_the_source() -> None:
    mailbox, stop = LatestValue[Captured](), threading.Event()
    capture = Capture(
        TimedSource(Script([RuntimeError("a bug")]), 1, 1), RateSettings(None, False), 0.01,
        mailbox, Counts(), stop, threading.Event(), wait_for_source=True,
    )  # fmt: skip
    with pytest.raises(RuntimeError):
        capture.run()
    assert not mailbox.finished


def test_file_with_many_damaged_frames_is_read_to_its_end() -> None:
    run = Run(Script([*[None] * 60, 7.0, EndOfSourceError()]), on_demand=True).take_all()
    assert (run.counts.undecodable, len(run.taken)) == (60, 1)
    assert run.capture.state is CameraState.ENDED


def test_newer_frame_replaces_one_that_was_not_taken() -> None:
    run = Run(Script([0.0, 0.001, 0.002, EndOfSourceError()]))
    run.thread.join(PATIENCE_S)
    assert run.counts.dropped_newer == 2
    assert run.counts.captured == 3


@pytest.mark.parametrize("fps", [None, 5])
def test_every_captured_frame_is_taken_dropped_or_skipped(fps: float | None) -> None:
    times: list[float | Exception | None] = [index / 100 for index in range(50)]
    run = Run(Script([*times, EndOfSourceError()]), fps=fps).take_all()
    counts = run.counts
    assert counts.captured == len(run.taken) + counts.dropped_newer + counts.rate_skipped == 50
