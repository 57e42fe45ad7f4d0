from dataclasses import replace

import pytest

from emotion_streams.minutes import MINUTE_MS
from tests.worker.tracking.walk import START_MS, Walk, rows
from worker.tracking import Policy, advance, associate, close_minute, close_silent, count_lost
from worker.tracking.constants import GAP_MS, MAX_DWELLS, MINUTE_GRACE_MS


def test_a_minute_ends_with_the_first_frame_after_it() -> None:
    walk = Walk()
    walk.frames(0, 60_000, (0.0, "happiness"))
    assert walk.minutes == []
    walk.frame(60_000, (0.0, "happiness"))
    (minute,) = walk.minutes
    people = minute.people
    assert (minute.start_ms, minute.frames, minute.coverage) == (START_MS, 600, 1.0)
    assert people
    assert (people.faces_mean, people.faces_max, people.tracks) == (1.0, 1, 1)
    assert (people.entered, people.left, people.dwell_ms_p50) == (1, 0, None)
    assert people.face_ms == 60_000
    assert people.emotion_ms["happiness"] == 60_000 - 300
    assert people.episodes["happiness"] == 1
    assert people.probabilities_mean
    assert people.probabilities_mean["happiness"] == pytest.approx(0.86, abs=1e-6)


def test_everything_is_weighted_by_time_not_by_frames() -> None:
    """A second at 25 fps with two faces, then a second at 2 fps with one."""
    walk = Walk()
    walk.frames(0, 1_000, (0.0, None), (300.0, None), every_ms=40)
    walk.frames(1_000, 2_000, (0.0, None), every_ms=500)
    walk.frame(2_000)
    walk.take(close_silent(walk.state, walk.policy))
    walk.take(close_minute(walk.state, START_MS + 2 * MINUTE_MS, walk.policy))
    (minute,) = walk.minutes
    assert minute.people
    assert minute.people.faces_mean == pytest.approx((2 * 1_000 + 1_000 + 0) / (2_000 + GAP_MS))
    assert minute.people.face_ms == 960 + 1_500
    assert minute.coverage == (2_000 + GAP_MS) / MINUTE_MS
    assert minute.people.dwell_ms_p50 == round((960 + 1_500) / 2)


def lose(walk: Walk, frames: int) -> None:
    walk.state = replace(walk.state, minute=count_lost(walk.state.minute, frames))


def test_time_over_the_end_of_a_minute_is_divided() -> None:
    walk = Walk()
    walk.frames(59_000, 61_000, (0.0, "anger"), every_ms=250)
    walk.frame(60_900, (0.0, "anger"))
    walk.take(close_minute(walk.state, START_MS + 3 * MINUTE_MS, walk.policy))
    first, second = (minute.people for minute in walk.minutes)
    assert first
    assert second
    assert (first.face_ms, second.face_ms) == (1_000, 900)
    assert (first.tracks, second.tracks) == (1, 1)
    assert (first.entered, second.entered) == (1, 0)


def test_minutes_add_up_to_the_tracks_and_their_episodes() -> None:
    walk = Walk()
    walk.frames(0, 150_000, (0.0, "happiness"), (300.0, "anger"), every_ms=500)
    walk.frames(150_000, 190_000, (0.0, "sadness"), every_ms=500)
    walk.take(close_silent(walk.state, walk.policy))
    walk.take(close_minute(walk.state, START_MS + 10 * MINUTE_MS, walk.policy))
    people = [minute.people for minute in walk.minutes if minute.people]
    left = [each for each in walk.episodes if each.type == "face.left"]
    started = [each for each in walk.episodes if each.type == "emotion.started"]
    assert len(people) == 4
    assert sum(each.face_ms for each in people) == sum(each.duration_ms for each in left)
    assert sum(each.entered for each in people) == sum(each.left for each in people) == len(left)
    for emotion in ("happiness", "anger", "sadness"):
        shown = sum(each.emotion_ms[emotion] for each in left if each.emotion_ms)
        assert sum(each.emotion_ms[emotion] for each in people) == shown > 0
        begun = sum(each.emotion == emotion for each in started)
        assert sum(each.episodes[emotion] for each in people) == begun


def test_a_camera_of_a_frame_a_minute_has_its_faces_and_no_tracks() -> None:
    walk = Walk()
    walk.frames(0, 180_001, (0.0, "anger"), (300.0, "anger"), every_ms=60_000)
    assert [minute.frames for minute in walk.minutes] == [1, 1, 1]
    for minute in walk.minutes:
        assert minute.coverage == GAP_MS / MINUTE_MS
        assert minute.people
        assert (minute.people.tracks, minute.people.face_ms) == (0, 0)
        assert (minute.people.faces_mean, minute.people.people_mean) == (2.0, 2.0)
        assert minute.people.people_max == 2
        assert minute.people.probabilities_mean is None
    assert walk.episodes == []


def test_a_minute_without_a_frame_has_no_record() -> None:
    walk = Walk()
    walk.frame(0)
    walk.frame(5 * MINUTE_MS)
    walk.frame(6 * MINUTE_MS)
    assert [minute.start_ms for minute in walk.minutes] == [START_MS, START_MS + 5 * MINUTE_MS]
    assert all(minute.people and minute.people.faces_mean == 0 for minute in walk.minutes)


def test_fewer_people_than_wanted_are_not_described() -> None:
    for faces, described in ((1, False), (2, True)):
        walk = Walk(Policy(min_people=2))
        walk.frames(0, 1_000, *[(300.0 * n, None) for n in range(faces)])
        walk.take(close_minute(walk.state, START_MS + 2 * MINUTE_MS, walk.policy))
        (minute,) = walk.minutes
        assert (minute.people is not None) == described
        assert minute.frames == 10


def test_one_person_who_comes_three_times_is_not_three_people() -> None:
    walk = Walk(Policy(min_people=2))
    for visit in range(3):
        start_ms = visit * 10_000
        walk.frames(start_ms, start_ms + 5_000, (0.0, "happiness"))
        walk.frames(start_ms + 5_000, start_ms + 10_000)
    assert walk.state.minute.tracks == 3
    walk.take(close_minute(walk.state, START_MS + 2 * MINUTE_MS, walk.policy))
    assert [minute.people for minute in walk.minutes] == [None]


def test_a_track_that_breaks_makes_no_second_person() -> None:
    """The face jumps: its old track is still kept while the new one begins."""
    walk = Walk()
    walk.frames(0, 1_000, (0.0, None))
    walk.frames(1_000, 2_000, (3_000.0, None))
    assert len(walk.state.people) == 2
    walk.take(close_minute(walk.state, START_MS + 2 * MINUTE_MS, walk.policy))
    (minute,) = walk.minutes
    assert minute.people
    assert (minute.people.tracks, minute.people.people_max) == (2, 1)


def test_a_person_whom_single_frames_miss_is_in_view_in_these_too() -> None:
    walk = Walk()
    for n in range(601):
        walk.frame(100 * n, *([] if n % 5 == 2 else [(0.0, None)]))
    (minute,) = walk.minutes
    assert minute.people
    assert minute.people.faces_mean == pytest.approx(0.8)
    assert minute.people.people_mean == pytest.approx(1)


def test_a_false_face_is_not_a_person() -> None:
    walk = Walk()
    walk.frames(0, 30_000)
    walk.frame(30_000, (0.0, None))
    walk.frames(30_100, 60_001)
    (minute,) = walk.minutes
    assert minute.people
    assert (minute.people.faces_max, minute.people.people_max) == (1, 0)


def test_people_are_at_once_what_one_frame_shows_as_tracks() -> None:
    """A false face has no track, and a face that single frames miss is there all the same."""
    walk = Walk()
    for n in range(20):
        seen = [(300.0 * x, None) for x in range(4) if (x + n) % 4 or n == 10]
        walk.frame(100 * n, *seen, *([(9_000.0, None)] if n == 15 else []))
    walk.frame(MINUTE_MS, (0.0, None))
    walk.frame(2 * MINUTE_MS, (0.0, None))
    first, second = (minute.people for minute in walk.minutes)
    assert first
    assert second
    assert (first.faces_max, first.people_max, first.tracks) == (4, 4, 4)
    assert (second.faces_max, second.people_max, second.tracks) == (1, 1, 0), "too slow"


def test_frames_lost_count_in_the_minute_under_way_or_in_the_next_one() -> None:
    walk = Walk()
    lose(walk, 2)
    walk.frame(0)
    lose(walk, 3)
    walk.frame(MINUTE_MS)
    lose(walk, 4)
    walk.take(close_minute(walk.state, START_MS + 9 * MINUTE_MS, walk.policy))
    lose(walk, 5)
    walk.frame(10 * MINUTE_MS)
    walk.frame(11 * MINUTE_MS)
    assert [minute.frames_lost for minute in walk.minutes] == [5, 4, 5]


def test_the_timer_closes_a_minute_once_and_not_early() -> None:
    walk = Walk()
    walk.frames(0, 1_000, (0.0, None))
    end_ms = START_MS + MINUTE_MS
    early = close_minute(walk.state, end_ms + MINUTE_GRACE_MS - 1, walk.policy)
    assert (early.state, early.minutes) == (walk.state, ())
    walk.take(close_minute(walk.state, end_ms + MINUTE_GRACE_MS, walk.policy))
    assert len(walk.minutes) == 1
    walk.take(close_minute(walk.state, end_ms + MINUTE_GRACE_MS, walk.policy))
    assert len(walk.minutes) == 1


def test_a_frame_of_a_closed_minute_counts_in_the_next_one() -> None:
    walk = Walk()
    walk.frame(59_000)
    walk.take(close_minute(walk.state, START_MS + 2 * MINUTE_MS, walk.policy))
    walk.frame(59_500)
    walk.frame(60_500)
    walk.frame(120_000)
    assert [(minute.start_ms - START_MS, minute.frames) for minute in walk.minutes] == [
        (0, 1), (60_000, 2),
    ]  # fmt: skip
    assert walk.minutes[1].coverage <= 1


def test_a_clock_that_goes_back_an_hour_writes_no_minute_twice() -> None:
    walk = Walk()
    times = [*range(0, 130_000, 1_000), *range(-3_600_000, 200_000, 1_000)]
    for number, ms in enumerate(times, 1):
        association = associate(walk.state.tracks, f"1-{number}", START_MS + ms, [])
        walk.take(advance(walk.state, association, [], rows([]), walk.policy))
    starts = [minute.start_ms for minute in walk.minutes]
    assert starts == sorted(set(starts))
    assert all(minute.frames <= 121 for minute in walk.minutes)


def test_one_frame_of_an_hour_ahead_costs_no_other_minute() -> None:
    walk = Walk()
    walk.frames(0, 30_000, (0.0, None))
    frame_at(walk, 31_000, number=1)
    frame_at(walk, 3_600_000, number=2)
    for number, ms in enumerate(range(32_000, 300_000, 1_000), 3):
        frame_at(walk, ms, number=number)
    starts = [minute.start_ms - START_MS for minute in walk.minutes]
    assert starts == [0, 60_000, 120_000, 180_000]
    # The one a second before counts in it, too: its own minute is closed.
    assert [minute.frames for minute in walk.minutes[1:]] == [61, 60, 60]


def frame_at(walk: Walk, ms: int, number: int) -> None:
    """A frame without a face whose id does not follow from its capture time."""
    frame_id = f"{START_MS + 30_000}-{number}"
    association = associate(walk.state.tracks, frame_id, START_MS + ms, [])
    walk.take(advance(walk.state, association, [], rows([]), walk.policy))


def test_a_track_counts_in_the_minute_in_which_it_was_first_seen() -> None:
    walk = Walk()
    walk.frame(59_000)
    walk.frame(59_900, (0.0, None))
    walk.frame(60_100, (0.0, None))
    walk.frame(120_000)
    assert [minute.people and minute.people.tracks for minute in walk.minutes] == [1, 1]


def test_the_memory_of_a_minute_is_bounded() -> None:
    walk = Walk()
    for visit in range(MAX_DWELLS + 20):
        start_ms = visit * 120
        walk.frame(start_ms, (3_000.0 * visit, None))
        walk.frame(start_ms + 60, (3_000.0 * visit, None))
    walk.take(close_silent(walk.state, walk.policy))
    assert walk.state.minute.left > MAX_DWELLS
    assert len(walk.state.minute.dwells) == MAX_DWELLS
