import numpy as np
import pytest

from emotion_streams.emotions import Emotion
from emotion_streams.episodes import EndReason, EpisodeType
from tests.worker.tracking.audit import Audit
from tests.worker.tracking.walk import START_MS, Walk, rows, sighting
from worker.tracking import (
    Policy,
    TrackedFace,
    TrackingState,
    Tracks,
    advance,
    associate,
    close_silent,
    steady,
)

TRACK = f"{START_MS}-0.0"


def test_a_person_enters_shows_an_emotion_and_leaves() -> None:
    walk = Walk()
    walk.frames(0, 1_000, (0.0, "happiness"))
    walk.frames(1_000, 3_000)
    assert walk.story == [
        ("face.entered", None, 0, None),
        ("emotion.started", "happiness", 300, None),
        ("emotion.ended", "happiness", 300, 900),
        ("face.left", None, 0, 900),
    ]
    ended, left = walk.episodes[2:]
    assert ended.id == f"door/{TRACK}/1"
    assert (ended.reason, ended.frames, ended.duration_ms) == (EndReason.GONE, 7, 600)
    assert ended.decided_ms == left.decided_ms == START_MS + 2_500, "the first frame after the gap"
    assert ended.confidence_mean == pytest.approx(0.86, abs=1e-6)
    assert left.id == f"door/{TRACK}/0"
    assert (left.reason, left.frames, left.duration_ms) == (EndReason.GONE, 10, 900)
    assert left.emotion_ms
    assert left.emotion_ms["happiness"] == 600
    audit = Audit()
    audit.add(walk.episodes)
    audit.finish()


def test_a_change_ends_an_emotion_when_the_next_one_starts() -> None:
    walk = Walk()
    walk.frames(0, 2_000, (0.0, "happiness"))
    walk.frames(2_000, 4_000, (0.0, "anger"))
    started, ended, next_ = walk.episodes[1:]
    assert [each.type for each in (started, ended, next_)] == [
        EpisodeType.EMOTION_STARTED,
        EpisodeType.EMOTION_ENDED,
        EpisodeType.EMOTION_STARTED,
    ]
    assert (ended.reason, ended.emotion, next_.emotion) == (EndReason.CHANGED, "happiness", "anger")
    assert ended.end_ms == next_.start_ms
    assert 0 < next_.start_ms - (START_MS + 2_000) <= 500, "within half a second"
    assert started.id.endswith("/1")
    assert next_.id.endswith("/2")


def test_the_label_in_the_events_is_that_of_the_episodes() -> None:
    walk = Walk(Policy(neutral_episodes=True))
    labels = []
    shows: list[Emotion | None] = ["happiness", "neutral", None]
    for ms in range(0, 6_000, 100):
        shown = shows[ms // 2_000]
        walk.frame(ms, (0.0, shown))
        labels.append((ms, walk.faces[0]))
    assert labels[0][1] == TrackedFace(), "a first detection has no track"
    ended = [each for each in walk.episodes if each.type == EpisodeType.EMOTION_ENDED]
    assert [each.emotion for each in ended] == ["happiness", "neutral"]
    for episode in ended:
        assert episode.end_ms
        for ms, face in labels:
            is_inside = episode.start_ms <= START_MS + ms < episode.end_ms
            assert (face.label == episode.emotion) == is_inside
            if is_inside:
                assert face.label_since_ms == episode.start_ms
    assert labels[-1][1].label == "uncertain"
    assert labels[-1][1].smoothed
    assert sum(labels[-1][1].smoothed.values()) == pytest.approx(1, abs=1e-5)


def test_neutral_makes_episodes_only_if_asked_for() -> None:
    for wanted in (False, True):
        walk = Walk(Policy(neutral_episodes=wanted))
        walk.frames(0, 2_000, (0.0, "neutral"))
        walk.take(close_silent(walk.state, walk.policy))
        assert ("emotion.started" in {each[0] for each in walk.story}) == wanted
        left = walk.episodes[-1]
        assert left.emotion_ms
        assert left.emotion_ms["neutral"] == 1_600


def test_a_lasting_emotion_is_reported_every_five_seconds() -> None:
    walk = Walk()
    walk.frames(0, 16_000, (0.0, "happiness"))
    updates = [each for each in walk.episodes if each.type == EpisodeType.EMOTION_UPDATED]
    assert [each.decided_ms - START_MS for each in updates] == [5_300, 10_300, 15_300]
    assert [each.duration_ms for each in updates] == [5_000, 10_000, 15_000]
    assert all(each.end_ms is None for each in updates)


def test_the_peak_is_the_first_frame_of_the_highest_smoothed_probability() -> None:
    walk = Walk()
    for n, share in enumerate([0.6] * 10 + [0.9] * 10 + [0.6] * 10):
        walk.see(100 * n, [sighting(0.0)], rows(["happiness"], share))
    walk.take(close_silent(walk.state, walk.policy))
    ended = walk.episodes[-2]
    assert ended.peak_ms == START_MS + 1_900
    assert ended.peak_frame_id == f"{START_MS + 1_900}-0"
    assert ended.confidence_peak
    assert ended.confidence_mean
    assert ended.confidence_mean < ended.confidence_peak <= 0.9


def test_a_camera_that_shows_nothing_for_longer_than_the_gap_was_down() -> None:
    walk = Walk()
    walk.frames(0, 1_000, (0.0, "happiness"))
    walk.frame(9_000, (0.0, "happiness"))
    assert [each.reason for each in walk.episodes[-2:]] == [EndReason.CAMERA_DOWN] * 2
    assert walk.episodes[-1].end_ms == START_MS + 900, "when it was last seen"
    assert walk.episodes[-1].frame_id == f"{START_MS + 9_000}-0", "the frame that decided it"


@pytest.mark.parametrize("every_ms", [40, 80, 200, 400, 500])
def test_a_face_that_goes_before_a_camera_that_goes_on_is_gone_at_any_rate(every_ms: int) -> None:
    walk = Walk()
    walk.frames(0, 3_000, (0.0, "happiness"), every_ms=every_ms)
    walk.frames(3_000, 6_000, every_ms=every_ms)
    assert walk.episodes[-1].reason == EndReason.GONE


def test_silence_closes_every_track_when_it_was_last_seen() -> None:
    walk = Walk()
    walk.frames(0, 1_000, (0.0, "happiness"), (300.0, "anger"))
    step = walk.take(close_silent(walk.state, walk.policy))
    assert [each.type.value for each in step.episodes] == ["emotion.ended", "face.left"] * 2
    assert {each.reason for each in step.episodes} == {EndReason.CAMERA_DOWN}
    assert {each.decided_ms for each in step.episodes} == {START_MS + 900}
    assert close_silent(walk.state, walk.policy).episodes == (), "once"
    walk.frame(1_000, (0.0, "happiness"))
    walk.frame(1_100, (0.0, "happiness"))
    assert walk.faces[0].track == f"{START_MS + 1_000}-0.0", "another track"


def test_a_clock_that_jumps_back_closes_tracks_without_negative_durations() -> None:
    walk = Walk()
    walk.frames(0, 1_000, (0.0, "happiness"))
    sightings = [sighting(0.0)]
    association = associate(walk.state.tracks, f"{START_MS + 1_000}-0", 5_000, sightings)
    step = walk.take(advance(walk.state, association, sightings, rows(["anger"]), walk.policy))
    assert [each.type.value for each in step.episodes] == ["emotion.ended", "face.left"]
    assert all(each.duration_ms >= 0 for each in walk.episodes)
    assert walk.state.people == ()


def test_a_frame_that_dies_after_its_association_costs_no_track() -> None:
    """The track is born in a frame that is never committed."""
    walk, chain = Walk(), Tracks()
    for n in range(6):
        captured_ms, sightings = START_MS + 100 * n, [sighting(0.0)]
        association = associate(chain, f"{captured_ms}-0", captured_ms, sightings)
        chain = association.after
        if n not in (1, 2):
            step = advance(walk.state, association, sightings, rows(["anger"]), walk.policy)
            walk.take(step)
    assert walk.story[0] == ("face.entered", None, 0, None)
    assert walk.faces[0].track == TRACK


def test_a_track_that_was_closed_never_enters_again() -> None:
    """The chain goes on as if nothing had happened; the state has closed its tracks."""
    walk = Walk()
    walk.frames(0, 1_000, (0.0, "happiness"))
    chain = walk.state.tracks
    walk.take(close_silent(walk.state, walk.policy))
    for ms in range(1_000, 1_500, 100):
        sightings = [sighting(0.0)]
        association = associate(chain, f"{START_MS + ms}-0", START_MS + ms, sightings)
        chain = association.after
        assert association.tracks == (TRACK,)
        walk.take(advance(walk.state, association, sightings, rows(["anger"]), walk.policy))
        assert walk.faces == (TrackedFace(),)
    assert [each[0] for each in walk.story].count("face.entered") == 1


def test_a_chain_that_is_ahead_of_the_commit_takes_no_time_from_the_future() -> None:
    """Frame 3 is associated before frame 2, which then has no tracks, and committed after it."""
    walk = Walk()
    walk.frames(0, 200, (0.0, "happiness"))
    sightings = [sighting(0.0)]
    late, early = (
        associate(walk.state.tracks, f"{START_MS + ms}-0", START_MS + ms, sightings)
        for ms in (300, 200)
    )
    behind = type(early)(early.frame_id, early.captured_ms, (None,), late.after)
    walk.take(advance(walk.state, behind, sightings, rows(["happiness"]), walk.policy))
    assert walk.faces == (TrackedFace(),)
    assert TrackingState.unpack("door", walk.state.pack()) == walk.state
    walk.take(advance(walk.state, late, sightings, rows(["happiness"]), walk.policy))
    assert walk.faces[0].track == TRACK


def test_one_track_for_two_faces_counts_for_the_first() -> None:
    walk = Walk()
    walk.frames(0, 200, (0.0, "happiness"))
    sightings = [sighting(0.0), sighting(300.0)]
    real = associate(walk.state.tracks, f"{START_MS + 200}-0", START_MS + 200, sightings)
    forged = type(real)(real.frame_id, real.captured_ms, (TRACK, TRACK), real.after)
    step = advance(walk.state, forged, sightings, rows(["anger", "anger"]), walk.policy)
    assert [face.track for face in step.faces] == [TRACK, None]


def test_an_invalid_probability_does_no_harm() -> None:
    walk = Walk()
    bad = np.array([[np.nan, np.inf, -1, 2, 0.5, 0, 0, 0]], np.float32)
    for ms in range(0, 500, 100):
        walk.see(ms, [sighting(0.0)], bad)
    walk.frames(500, 3_000, (0.0, "happiness"))
    assert walk.faces[0].label == "happiness"
    assert TrackingState.unpack("door", walk.state.pack()) == walk.state


def test_different_lengths_are_refused() -> None:
    state = TrackingState.empty("door")
    association = associate(state.tracks, "1-0", 1, [sighting(0.0)])
    with pytest.raises(ValueError, match="per face"):
        advance(state, association, [], rows([]), Policy())


def test_a_held_label_may_stand_for_a_classification_and_a_changing_one_may_not() -> None:
    walk = Walk()
    walk.frames(0, 1_000, (0.0, "happiness"))
    assert steady(walk.state, TRACK, START_MS + 1_000) is None, "not held for long enough"
    assert steady(walk.state, "another", START_MS + 1_000) is None
    walk.frames(1_000, 2_000, (0.0, "happiness"))
    known = steady(walk.state, TRACK, START_MS + 2_000)
    assert known
    assert (known[0], known[2]) == ("happiness", START_MS + 1_900)
    assert known[1] == tuple(rows(["happiness"])[0].tolist())
    walk.frames(2_000, 2_300, (0.0, "anger"))
    assert steady(walk.state, TRACK, START_MS + 2_300) is None, "about to change"


def test_reused_probabilities_keep_the_time_that_they_are_from() -> None:
    walk = Walk()
    walk.frames(0, 2_000, (0.0, "happiness"))
    sightings = [sighting(0.0)]
    association = associate(walk.state.tracks, f"{START_MS + 2_000}-0", START_MS + 2_000, sightings)
    shares, from_ms = rows(["happiness"]), START_MS + 1_900
    walk.take(advance(walk.state, association, sightings, shares, walk.policy, [from_ms]))
    known = steady(walk.state, TRACK, START_MS + 2_000)
    assert known
    assert known[2] == from_ms
