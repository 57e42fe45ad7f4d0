"""Which of the queued frames is started next, and which end as expired."""

import tracemalloc
from dataclasses import dataclass, field

import pytest

from emotion_streams.frames import MAX_AHEAD_MS, Frame
from emotion_streams.ledger import Outcome
from worker.delivery.entries import parse_entry
from worker.delivery.queue import FrameQueue, ServiceTime
from worker.delivery.types import QueuedFrame

NOW_MS = 1_700_000_000_000.0


@dataclass
class Camera:
    """Frames of one camera that are queued at NOW_MS, at this service time."""

    service_time: ServiceTime = field(default_factory=ServiceTime)

    def begins(
        self, *ages_ms: float, max_age_ms: int | None = 1000, then: QueuedFrame | None = None
    ) -> float | None:
        """Of frames of these ages, oldest first, followed by `then`, return the age of the one that
        is analysed next; None if all end, each as expired.
        """
        queue = FrameQueue(lambda: NOW_MS)
        queue.service_time = self.service_time
        frames = [
            Frame(round(NOW_MS - age_ms), 64, 48, b"", "session_id", seq, max_age_ms=max_age_ms)
            for seq, age_ms in enumerate(ages_ms)
        ]
        queued = [QueuedFrame(f"{each.captured_ms}-0", 1, 100, each) for each in frames]
        queued += [then] if then else []
        queue.add(queued, just_stored=False)
        completions, following = queue.pop_next()
        assert {each.outcome for each in completions} <= {Outcome.EXPIRED}
        assert len(completions) + (following is not None) + len(queue) == len(queued)
        if not following:
            return None
        assert following.frame
        return NOW_MS - following.frame.captured_ms


def test_frames_come_in_order_while_none_is_too_old() -> None:
    assert Camera().begins(900, 500, 10) == 900


def test_camera_that_is_behind_continues_with_its_newest_frame() -> None:
    assert Camera().begins(1100, 500, 10) == 10


@pytest.mark.parametrize("position_ms", [None, 5])
def test_frame_dated_years_ahead_is_dead(position_ms: int | None) -> None:
    ahead_ms = round(NOW_MS) + 2 * MAX_AHEAD_MS
    frame = Frame(ahead_ms, 64, 48, b"", "session_id", 0, position_ms=position_ms)
    queue = FrameQueue(lambda: NOW_MS)
    queue.add([QueuedFrame("1-0", 1, 100, frame)], just_stored=False)
    completions, following = queue.pop_next()
    assert following is None
    assert [each.outcome for each in completions] == [Outcome.DEAD]


def test_malformed_frame_does_not_displace_valid_frame() -> None:
    malformed = parse_entry("1-0", b"\xc1", 1, 1)
    valid = Frame(round(NOW_MS), 64, 48, b"", "session_id", 9)
    redelivered = QueuedFrame("1-0", 4, 100, valid)
    assert Camera().begins(1100, 500, then=malformed) == 500
    assert Camera().begins(1100, 500, then=redelivered) == 500


def test_frame_whose_event_would_be_too_old_expires() -> None:
    camera = Camera(ServiceTime(ms=150))
    assert camera.begins(840) == 840
    assert camera.begins(860) is None
    assert camera.begins(860, 300, 10) == 10


def test_limit_that_cannot_be_met_still_brings_events() -> None:
    camera = Camera(ServiceTime(ms=5_000))
    assert camera.begins(490) == 490
    assert camera.begins(510) is None


def test_service_time_changes_nothing_if_every_frame_counts() -> None:
    assert Camera(ServiceTime(ms=5_000)).begins(100_000, 10, max_age_ms=None) == 100_000


def test_queued_frame_is_held_once() -> None:
    queue = FrameQueue(lambda: NOW_MS)
    tracemalloc.start()
    try:
        frames = (Frame(1, 64, 48, bytes(100_000), "session_id", seq) for seq in range(50))
        blobs = [frame.pack() for frame in frames]
        parsed = [parse_entry(f"{n}-0", blob, 1, len(blob)) for n, blob in enumerate(blobs)]
        queue.add(parsed, just_stored=True)
        del blobs, parsed
        left_behind = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(queue) == 50
    assert left_behind < 1.1 * 50 * 100_000


def test_service_time_follows_recent_frames() -> None:
    service_time = ServiceTime()
    for _ in range(100):
        service_time.observe(40)
    assert service_time.ms == pytest.approx(40, rel=0.01)
    for _ in range(100):
        service_time.observe(120)
    assert service_time.ms == pytest.approx(120, rel=0.01)
