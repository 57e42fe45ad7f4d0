from emotion_streams.faces import Box
from worker.tracking import Sighting, Tracks, associate
from worker.tracking.constants import MAX_TRACKS

START_MS = 1_795_346_599_061


def face(x: float, y: float = 100.0, size: float = 60.0) -> Sighting:
    return Sighting(Box(x, y, size, size), 0.9)


def ids(*frames: tuple[int, list[Sighting]]) -> list[tuple[str | None, ...]]:
    """The tracks of each frame; frames are (milliseconds, faces)."""
    tracks, found = Tracks(), []
    for ms, sightings in frames:
        captured_ms = START_MS + ms
        association = associate(tracks, f"{captured_ms}-0", captured_ms, sightings)
        tracks = association.after
        found.append(association.tracks)
    return found


def test_a_track_is_born_at_its_second_detection_and_named_after_its_first() -> None:
    first, second = ids((0, [face(300), face(0)]), (100, [face(5), face(301)]))
    assert first == (None, None)
    assert second == (f"{START_MS}-0.1", f"{START_MS}-0.0")


def test_a_face_that_is_detected_once_makes_no_track() -> None:
    assert ids((0, [face(0)]), (100, []), (1_001, [face(0)]), (1_101, [])) == [
        (None,), (), (None,), (),
    ]  # fmt: skip


def test_a_camera_of_a_frame_a_minute_makes_no_tracks() -> None:
    assert ids(*((n * 60_000, [face(0)]) for n in range(5))) == [(None,)] * 5


def test_a_face_that_is_hidden_for_a_second_keeps_its_track() -> None:
    moving = [(n * 100, [face(10.0 * n)]) for n in range(10)]
    hidden: list[tuple[int, list[Sighting]]] = [(n * 100, []) for n in range(10, 20)]
    found = ids(*moving, *hidden, (2_000, [face(200)]))
    assert found[-1] == found[1] == (f"{START_MS}-0.0",)


def test_a_track_ends_a_second_and_a_half_after_its_last_detection() -> None:
    seen = [(0, [face(0)]), (100, [face(0)])]
    assert ids(*seen, (1_600, [face(0)]))[-1] == (f"{START_MS}-0.0",)
    assert ids(*seen, (1_601, [face(0)]))[-1] == (None,)


def test_faces_that_cross_keep_their_tracks_by_how_they_move() -> None:
    frames = [(n * 100, [face(20.0 * n), face(600 - 20.0 * n)]) for n in range(30)]
    assert len(set(ids(*frames)[1:])) == 1


def test_each_track_takes_the_face_of_its_size_at_one_place() -> None:
    frames = [(n * 100, [face(100, 100, 40), face(80, 80, 80)]) for n in range(3)]
    turned = (300, [face(80, 80, 80), face(100, 100, 40)])
    *_, before, after = ids(*frames, turned)
    assert after == before[::-1]


def test_a_frame_that_is_not_newer_changes_nothing() -> None:
    before = associate(Tracks(), "5-10", 1_000, [face(0)]).after
    for old in ("5-10", "5-9", "4-99"):
        association = associate(before, old, 2_000, [face(0)])
        assert association.tracks == (None,)
        assert association.after is before
    assert associate(before, "5-11", 1_100, [face(0)]).tracks == ("5-10.0",)
    assert associate(before, "10-0", 1_100, [face(0)]).tracks == ("5-10.0",), "ids are numbers"


def test_a_capture_time_that_repeats_or_steps_back_a_little_keeps_the_tracks() -> None:
    tracks = Tracks()
    for n, captured_ms in enumerate([5_000, 5_100, 5_100, 5_050, 4_000, 5_200]):
        association = associate(tracks, f"1-{n}", captured_ms, [face(0)])
        assert association.after.clock_ms >= tracks.clock_ms
        tracks = association.after
    assert association.tracks == ("1-0.0",)
    assert tracks.clock_ms == 5_200


def test_a_clock_that_jumps_beyond_the_gap_ends_all_tracks() -> None:
    for jump_ms in (-1_501, 1_501, -10_000_000):
        tracks = Tracks()
        for n, captured_ms in enumerate([10**9, 10**9 + 100, 10**9 + 100 + jump_ms]):
            association = associate(tracks, f"1-{n}", captured_ms, [face(0)])
            tracks = association.after
        assert association.tracks == (None,)
        assert [track.id for track in tracks.items] == ["1-2.0"]
        assert tracks.clock_ms == 10**9 + 100 + jump_ms


def test_the_largest_of_a_hundred_faces_are_tracked() -> None:
    faces = [face(70.0 * n, size=20.0 + (n * 37) % 100) for n in range(100)]
    _, second = ids((0, faces), (100, faces))
    sizes = [each.box.width for each in faces]
    limit = sorted(sizes, reverse=True)[MAX_TRACKS - 1]
    assert sum(track is not None for track in second) == MAX_TRACKS
    assert all(
        (track is not None) == (size >= limit) for track, size in zip(second, sizes, strict=True)
    )


def test_a_face_without_a_size_does_no_harm() -> None:
    assert ids((0, [face(0, size=0.0)]), (100, [face(0, size=0.0)]))[-1] == (f"{START_MS}-0.0",)
