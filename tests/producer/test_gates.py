"""Which frames go through the gates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.gates import Backlog, MotionGate, Pacer, RateCap
from tests.peers.pictures import jpeg, picture


@pytest.mark.parametrize(("camera", "wanted"), [(30, 10), (25, 10), (12.5, 10), (60, 7), (15, 14)])
def test_the_rate_is_what_was_asked_for_whatever_the_camera_gives(
    camera: float, wanted: float
) -> None:
    cap = RateCap(wanted)
    passed = sum(cap.admits(index / camera) for index in range(round(camera * 20)))
    assert passed == pytest.approx(wanted * 20, abs=1)


def test_a_slower_camera_loses_nothing_although_it_is_not_punctual() -> None:
    cap = RateCap(10)
    jitter = (0, 0.006, -0.006, 0.003)
    assert all(cap.admits(index / 10 + jitter[index % 4]) for index in range(200))


def test_no_rate_lets_everything_through() -> None:
    cap = RateCap(None)
    assert all(cap.admits(index / 1000) for index in range(100))


def test_after_a_gap_the_frames_that_did_not_come_are_not_made_up() -> None:
    cap = RateCap(10)
    assert cap.admits(0)
    assert cap.admits(60)
    assert not cap.admits(60.03)


@given(st.lists(st.floats(0, 5), max_size=200), st.floats(0.5, 100))
def test_never_are_there_more_frames_than_the_rate_allows(gaps: list[float], fps: float) -> None:
    cap, now, passed = RateCap(fps), 0.0, 0
    for gap in gaps:
        now += gap
        passed += cap.admits(now)
    assert passed <= now * fps * 1.001 + 2


def test_a_file_is_shown_at_the_times_that_it_names() -> None:
    pacer = Pacer()
    assert pacer.wait_s(100.0, 0.0) == 0
    assert pacer.wait_s(100.01, 0.04) == pytest.approx(0.03)
    assert pacer.wait_s(100.10, 0.08) == 0  # a little late: the next one is due as before
    assert pacer.wait_s(100.10, 0.12) == pytest.approx(0.02)


def test_after_a_pause_a_file_goes_on_from_where_it_is() -> None:
    pacer = Pacer()
    pacer.wait_s(100.0, 0.0)
    assert pacer.wait_s(160.0, 0.04) == 0
    assert pacer.wait_s(160.0, 0.08) == pytest.approx(0.04)


def test_frames_that_were_held_up_are_late_and_those_after_them_are_not() -> None:
    backlog = Backlog()
    held_up = [(10.0 + index * 0.001, index / 15) for index in range(20)]
    in_time = [(10.1 + index / 15, (20 + index) / 15) for index in range(20)]
    late = [backlog.is_late(*times) for times in held_up + in_time]
    assert late == [True] * 20 + [False] * 20


@pytest.mark.parametrize("jitter_s", [0.02, 0.04, 0.08, 0.2])
def test_frames_that_come_with_jitter_are_not_late(jitter_s: float) -> None:
    backlog, random, arrived_s = Backlog(), np.random.default_rng(1), 0.0
    late = []
    for index in range(1000):
        arrived_s = max(arrived_s + 0.0005, index / 25 + random.uniform(0, jitter_s))
        late.append(backlog.is_late(arrived_s, index / 25))
    assert not any(late[10:])


@pytest.mark.parametrize("together", [2, 3, 5])
def test_frames_that_come_a_few_at_a_time_are_not_late(together: int) -> None:
    backlog = Backlog()
    late = [
        backlog.is_late((index // together + 1) * together / 25 + index * 0.0001, index / 25)
        for index in range(1000)
    ]
    assert not any(late[together:])


@pytest.mark.parametrize("drift", [-0.03, 0.0, 0.03])
def test_after_a_pause_what_was_kept_is_late_until_it_has_caught_up(drift: float) -> None:
    backlog = Backlog()
    for index in range(1, 1000):  # 40 s, by a clock that is not ours
        backlog.is_late(index / 25 * (1 + drift), index / 25)
    paused_s = 42 * (1 + drift)
    held_up = [backlog.is_late(paused_s + index * 0.001, 40 + index / 25) for index in range(50)]
    # All that are older than the jitter of networks and clocks.
    assert held_up[:35] == [True] * 35
    assert not held_up[-1]
    assert not backlog.is_late(paused_s + 0.1, 42)


def test_a_camera_whose_clock_runs_fast_is_not_late_for_ever() -> None:
    backlog = Backlog()
    late = [backlog.is_late(index / 10, index / 4) for index in range(200)]
    assert late == [True] * 50 + [False] * 150


def test_a_camera_whose_clock_runs_slow_is_not_late_for_ever() -> None:
    backlog = Backlog()
    assert not [backlog.is_late(index / 10, index / 20) for index in range(200)][-1]


def test_a_camera_whose_clock_stands_still_or_is_set_back_is_not_late() -> None:
    backlog = Backlog()
    assert not any([backlog.is_late(index / 10, 0) for index in range(200)][1:])
    times = [*range(100, 200), *range(200)]
    assert not any([backlog.is_late(20 + i / 10, time / 10) for i, time in enumerate(times)][1:])


@pytest.mark.parametrize("fps", [1.5, 3, 10, 12.5, 25])
def test_the_motion_gate_sends_one_frame_a_second_of_a_still_picture(fps: float) -> None:
    gate, still, random = MotionGate(0.005), picture(320, 240), np.random.default_rng(1)
    times = [index / fps + random.uniform(0, 0.01) for index in range(round(20 * fps))]
    passed = [time for time in times if gate.admits(still, time)]
    assert max(np.diff(passed)) <= 1
    # And hardly more than that.
    assert len(passed) <= 20 / (1 - 1.7 / fps) + 1 if fps > 3 else 20 * fps


def test_the_motion_gate_lets_a_change_through_at_once_and_noise_not() -> None:
    gate = MotionGate(0.005)
    noise = np.random.default_rng(1)
    still = picture(320, 240)
    assert gate.admits(still, 0)
    for time in (0.1, 0.2, 0.3):
        noisy = np.clip(still + noise.normal(0, 5, still.shape), 0, 255).astype(np.uint8)
        assert not gate.admits(noisy, time)
    moved = still.copy()
    moved[100:140, 100:140] = 255
    assert gate.admits(moved, 0.4)


def test_the_motion_gate_reads_jpegs_as_well() -> None:
    gate = MotionGate(0.005)
    assert gate.admits(jpeg(320, 240), 0)
    assert not gate.admits(jpeg(320, 240), 0.1)
    assert gate.admits(jpeg(320, 240, index=9), 0.2)


def test_without_a_threshold_the_gate_is_open() -> None:
    gate = MotionGate(0)
    assert all(gate.admits(picture(64, 48), index / 100) for index in range(10))
