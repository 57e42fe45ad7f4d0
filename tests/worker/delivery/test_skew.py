"""A producer's clock that goes wrong, detected from its frames."""

import pytest

from emotion_streams.frames import Frame
from worker.delivery.skew import TOLERANCE_MS, ClockSkew

NOW_MS = 1_700_000_000_000.0


def frame(age_ms: float) -> Frame:
    """A frame that says to be so old at NOW_MS."""
    return Frame(round(NOW_MS - age_ms), 640, 480, b"", "session_id", 0)


def skew_after(*ages_ms: float) -> ClockSkew:
    skew = ClockSkew()
    for age_ms in ages_ms:
        skew.observe([frame(age_ms)], NOW_MS)
    return skew


def test_a_clock_that_goes_right_shows_no_skew() -> None:
    skew = skew_after(*[20, 300, 1_900] * 5)
    assert skew.ms == 0


def test_a_clock_ahead_shows_at_once() -> None:
    skew = skew_after(-10_000)
    assert skew.ms == 10_000


def test_a_clock_behind_shows_when_no_frame_of_several_is_young() -> None:
    assert skew_after(*[10_050] * 2).ms == 0
    skew = skew_after(*[10_050] * 3)
    assert skew.ms == -10_050


def test_frames_that_were_held_up_once_are_not_clock_skew() -> None:
    assert skew_after(*[5_000] * 2, 30).ms == 0


def test_a_clock_set_right_is_believed_again() -> None:
    assert skew_after(*[10_000] * 3, 20).ms == 0
    assert skew_after(-10_000, *[20] * 3).ms == 0


@pytest.mark.parametrize("late_ms", [0, TOLERANCE_MS])
def test_a_slow_network_is_not_clock_skew(late_ms: float) -> None:
    assert skew_after(*[late_ms] * 20).ms == 0


def test_a_read_that_brought_nothing_teaches_nothing() -> None:
    skew = skew_after(-10_000)
    skew.observe([], NOW_MS)
    assert skew.ms == 10_000


def test_the_newest_frame_of_a_read_counts() -> None:
    skew = ClockSkew()
    skew.observe([frame(3_000), frame(-100), frame(2_000)], NOW_MS)
    assert skew.ms == 100
