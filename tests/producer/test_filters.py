"""Filters: which frames are sent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.filters import LateFrameFilter, MotionFilter, Pacer, RateLimiter
from tests.peers.pictures import jpeg, picture


@pytest.mark.parametrize(("camera", "wanted"), [(30, 10), (25, 10), (12.5, 10), (60, 7), (15, 14)])
def test_rate_limiter_reduces_any_camera_rate_to_the_requested_rate(
    camera: float, wanted: float
) -> None:
    limiter = RateLimiter(wanted)
    passed = sum(limiter.allows(index / camera) for index in range(round(camera * 20)))
    assert passed == pytest.approx(wanted * 20, abs=1)


def test_rate_limiter_allows_every_frame_of_a_slower_camera_with_jitter() -> None:
    limiter = RateLimiter(10)
    jitter = (0, 0.006, -0.006, 0.003)
    assert all(limiter.allows(index / 10 + jitter[index % 4]) for index in range(200))


def test_rate_limiter_without_a_rate_allows_every_frame() -> None:
    limiter = RateLimiter(None)
    assert all(limiter.allows(index / 1000) for index in range(100))


def test_rate_limiter_does_not_make_up_for_frames_missed_in_a_gap() -> None:
    limiter = RateLimiter(10)
    assert limiter.allows(0)
    assert limiter.allows(60)
    assert not limiter.allows(60.03)


@given(st.lists(st.floats(0, 5), max_size=200), st.floats(0.5, 100))
def test_rate_limiter_never_exceeds_the_rate(gaps: list[float], fps: float) -> None:
    limiter, now, passed = RateLimiter(fps), 0.0, 0
    for gap in gaps:
        now += gap
        passed += limiter.allows(now)
    assert passed <= now * fps * 1.001 + 2


def test_pacer_plays_a_file_at_its_own_timestamps() -> None:
    pacer = Pacer()
    assert pacer.wait_s(100.0, 0.0) == 0
    assert pacer.wait_s(100.01, 0.04) == pytest.approx(0.03)
    assert pacer.wait_s(100.10, 0.08) == 0  # a little late: the next one is due as before
    assert pacer.wait_s(100.10, 0.12) == pytest.approx(0.02)


def test_pacer_continues_without_a_burst_after_a_pause() -> None:
    pacer = Pacer()
    pacer.wait_s(100.0, 0.0)
    assert pacer.wait_s(160.0, 0.04) == 0
    assert pacer.wait_s(160.0, 0.08) == pytest.approx(0.04)


def test_late_frame_filter_drops_a_delayed_burst_and_allows_the_frames_after_it() -> None:
    late_frames = LateFrameFilter()
    held_up = [(10.0 + index * 0.001, index / 15) for index in range(20)]
    in_time = [(10.1 + index / 15, (20 + index) / 15) for index in range(20)]
    late = [not late_frames.allows(*times) for times in held_up + in_time]
    assert late == [True] * 20 + [False] * 20


@pytest.mark.parametrize("jitter_s", [0.02, 0.04, 0.08, 0.2])
def test_late_frame_filter_allows_frames_with_jitter(jitter_s: float) -> None:
    late_frames, random, arrived_s = LateFrameFilter(), np.random.default_rng(1), 0.0
    late = []
    for index in range(1000):
        arrived_s = max(arrived_s + 0.0005, index / 25 + random.uniform(0, jitter_s))
        late.append(not late_frames.allows(arrived_s, index / 25))
    assert not any(late[10:])


@pytest.mark.parametrize("together", [2, 3, 5])
def test_late_frame_filter_allows_frames_that_arrive_in_small_groups(together: int) -> None:
    late_frames = LateFrameFilter()
    late = [
        not late_frames.allows((index // together + 1) * together / 25 + index * 0.0001, index / 25)
        for index in range(1000)
    ]
    assert not any(late[together:])


@pytest.mark.parametrize("drift", [-0.03, 0.0, 0.03])
def test_late_frame_filter_drops_frames_kept_during_a_pause(drift: float) -> None:
    late_frames = LateFrameFilter()
    for index in range(1, 1000):  # 40 s, by a clock that is not ours
        late_frames.allows(index / 25 * (1 + drift), index / 25)
    paused_s = 42 * (1 + drift)
    held_up = [
        not late_frames.allows(paused_s + index * 0.001, 40 + index / 25) for index in range(50)
    ]
    # All that are older than the jitter of networks and clocks.
    assert held_up[:35] == [True] * 35
    assert not held_up[-1]
    assert late_frames.allows(paused_s + 0.1, 42)


def test_late_frame_filter_stops_dropping_if_the_camera_clock_runs_fast() -> None:
    late_frames = LateFrameFilter()
    late = [not late_frames.allows(index / 10, index / 4) for index in range(200)]
    assert late == [True] * 50 + [False] * 150


def test_late_frame_filter_stops_dropping_if_the_camera_clock_runs_slow() -> None:
    late_frames = LateFrameFilter()
    assert [late_frames.allows(index / 10, index / 20) for index in range(200)][-1]


def test_late_frame_filter_allows_frames_of_a_clock_that_stops_or_is_set_back() -> None:
    late_frames = LateFrameFilter()
    assert all([late_frames.allows(index / 10, 0) for index in range(200)][1:])
    times = [*range(100, 200), *range(200)]
    assert not any(
        [not late_frames.allows(20 + i / 10, time / 10) for i, time in enumerate(times)][1:]
    )


@pytest.mark.parametrize("fps", [1.5, 3, 10, 12.5, 25])
def test_motion_filter_allows_one_frame_a_second_of_a_still_picture(fps: float) -> None:
    motion, still, random = MotionFilter(0.005), picture(320, 240), np.random.default_rng(1)
    times = [index / fps + random.uniform(0, 0.01) for index in range(round(20 * fps))]
    passed = [time for time in times if motion.allows(still, time)]
    assert max(np.diff(passed)) <= 1
    # And hardly more than that.
    assert len(passed) <= 20 / (1 - 1.7 / fps) + 1 if fps > 3 else 20 * fps


def test_motion_filter_allows_a_change_at_once_and_skips_noise() -> None:
    motion = MotionFilter(0.005)
    noise = np.random.default_rng(1)
    still = picture(320, 240)
    assert motion.allows(still, 0)
    for time in (0.1, 0.2, 0.3):
        noisy = np.clip(still + noise.normal(0, 5, still.shape), 0, 255).astype(np.uint8)
        assert not motion.allows(noisy, time)
    moved = still.copy()
    moved[100:140, 100:140] = 255
    assert motion.allows(moved, 0.4)


def test_motion_filter_compares_jpegs() -> None:
    motion = MotionFilter(0.005)
    assert motion.allows(jpeg(320, 240), 0)
    assert not motion.allows(jpeg(320, 240), 0.1)
    assert motion.allows(jpeg(320, 240, index=9), 0.2)


def test_motion_filter_without_a_threshold_allows_every_frame() -> None:
    motion = MotionFilter(0)
    assert all(motion.allows(picture(64, 48), index / 100) for index in range(10))
