"""Which of the frames that wait is begun next, and which end as expired."""

import tracemalloc
from dataclasses import dataclass, field

import pytest

from emotion_streams.frames import Frame
from emotion_streams.ledger import Outcome
from worker.delivery.queue import Pace, Waiting, open_delivery
from worker.delivery.stream import Delivery

NOW_MS = 1_700_000_000_000.0


@dataclass
class Camera:
    """Frames of one camera that wait at NOW_MS, at this pace."""

    pace: Pace = field(default_factory=Pace)

    def begins(
        self, *ages_ms: float, max_age_ms: int | None = 1000, then: Delivery | None = None
    ) -> float | None:
        """Of frames of these ages, oldest first, and before what came `then`, the age of the one
        that is analysed next; None where all end, which is as expired."""
        waiting = Waiting(lambda: NOW_MS)
        waiting.pace = self.pace
        frames = [
            Frame(round(NOW_MS - age_ms), 64, 48, b"", "boot", seq, max_age_ms=max_age_ms)
            for seq, age_ms in enumerate(ages_ms)
        ]
        deliveries = [Delivery(f"{frame.captured_ms}-0", frame.pack()) for frame in frames]
        deliveries += [then] if then else []
        waiting.add([open_delivery(each) for each in deliveries], just_stored=False)
        endings, arrival = waiting.next_worth_it()
        assert {ending.outcome for ending in endings} <= {Outcome.EXPIRED}
        assert len(endings) + (arrival is not None) + len(waiting) == len(deliveries)
        if not arrival:
            return None
        assert arrival.frame
        return NOW_MS - arrival.frame.captured_ms


def test_frames_come_in_order_while_none_is_too_old() -> None:
    assert Camera().begins(900, 500, 10) == 900


def test_a_camera_that_fell_behind_goes_on_with_its_newest() -> None:
    assert Camera().begins(1100, 500, 10) == 10


def test_one_that_nobody_can_analyse_takes_no_sound_ones_place() -> None:
    malformed = Delivery("1-0", b"\xc1")
    given_out_often = Delivery("1-0", Frame(round(NOW_MS), 64, 48, b"", "boot", 9).pack(), 4)
    assert Camera().begins(1100, 500, then=malformed) == 500
    assert Camera().begins(1100, 500, then=given_out_often) == 500


def test_a_frame_that_would_be_too_old_once_its_event_is_out_expires() -> None:
    camera = Camera(Pace(ms=150))
    assert camera.begins(840) == 840
    assert camera.begins(860) is None
    assert camera.begins(860, 300, 10) == 10


def test_a_limit_that_cannot_be_kept_still_brings_events() -> None:
    camera = Camera(Pace(ms=5_000))
    assert camera.begins(490) == 490
    assert camera.begins(510) is None


def test_where_every_frame_counts_the_pace_changes_nothing() -> None:
    assert Camera(Pace(ms=5_000)).begins(100_000, 10, max_age_ms=None) == 100_000


def test_a_frame_that_waits_is_held_once() -> None:
    waiting = Waiting(lambda: NOW_MS)
    tracemalloc.start()
    try:
        frames = (Frame(1, 64, 48, bytes(100_000), "boot", seq) for seq in range(50))
        deliveries = [Delivery(f"{frame.seq}-0", frame.pack()) for frame in frames]
        waiting.add([open_delivery(each) for each in deliveries], just_stored=True)
        del deliveries
        left_behind = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(waiting) == 50
    assert left_behind < 1.1 * 50 * 100_000


def test_the_pace_follows_the_frames_of_late() -> None:
    pace = Pace()
    for _ in range(100):
        pace.saw(40)
    assert pace.ms == pytest.approx(40, rel=0.01)
    for _ in range(100):
        pace.saw(120)
    assert pace.ms == pytest.approx(120, rel=0.01)
