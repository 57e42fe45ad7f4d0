"""Who is in view of a camera, by its last events."""

from dataclasses import replace

import redis

from emotion_streams import Box, EmotionEvent, Face, keys
from emotion_streams.connection import connect_async
from emotion_streams.emotions import Label
from sinks.in_view import InView, faces_in_view, observe
from sinks.recent_events import RecentEvents
from tests.samples import event

START_MS = 1_700_000_000_000

Seen = tuple[str | None, Label | None, float]
"""A face: its track, its steady label, its width."""


def faces(*seen: Seen) -> tuple[Face, ...]:
    (sample,) = event().faces
    return tuple(
        replace(sample, track=track, label=label, box=Box(0, 0, width, 10))
        for track, label, width in seen
    )


def frame(ms: int, *tracks: str | None) -> EmotionEvent:
    """An event `ms` after START_MS with a face for each track; None: one without a track."""
    shown = faces(*((track, "anger" if track else None, 10) for track in tracks))
    return replace(event("lobby", f"{START_MS + ms}-0"), faces=shown)


def in_view(*events: EmotionEvent, waited_ms: float = 0) -> list[str | None]:
    return [face.track for face in faces_in_view(events, waited_ms)]


def test_the_most_frequent_label_is_the_emotion_and_the_largest_face_decides_a_tie() -> None:
    crowd = faces(("a", "anger", 90), ("b", "happiness", 5), ("c", "happiness", 6))
    most = observe(crowd, 1, None)
    assert (most.people, most.emotion) == (3, "happiness")
    assert most.shares == {"anger": 0.333, "happiness": 0.667}
    assert observe(crowd[:2], 1, None).emotion == "anger"


def test_a_face_without_a_track_counts_with_its_likeliest_emotion() -> None:
    assert observe(faces((None, None, 5)), 1, None).emotion == "surprise"


def test_an_unchanged_observation_keeps_its_since_and_is_the_same_object() -> None:
    one = faces(("a", "anger", 5))
    first = observe(one, 1, None)
    assert observe(one, 2, first) is first
    assert observe(one * 2, 3, first).since_ms == 3
    assert observe((), 4, first) == InView(0, None, {}, 4)


def test_a_person_whom_frames_miss_is_in_view_for_as_long_as_a_track_is_kept() -> None:
    assert in_view(frame(1_500), frame(1_000, "a"), frame(0, "b")) == ["a", "b"]
    assert in_view(frame(1_501), frame(1_000, "a"), frame(0, "b")) == ["a"]
    assert in_view(frame(1_500), frame(1_000, "a"), frame(0, "b"), waited_ms=500) == ["a"]
    assert in_view(frame(1_000, "a"), waited_ms=60_000) == ["a"], "the newest event shows it"


def test_the_newest_face_of_a_person_counts() -> None:
    happy = replace(frame(100), faces=faces(("a", "happiness", 10)))
    (face,) = faces_in_view([frame(200), happy, frame(0, "a")])
    assert face.label == "happiness"


def test_a_face_that_was_seen_once_is_not_a_person_yet() -> None:
    assert in_view(frame(100, None), frame(0)) == []
    assert in_view(frame(100, "a", None), frame(0, None)) == ["a"]


def test_a_camera_that_is_too_slow_to_be_followed_has_the_faces_of_its_newest_event() -> None:
    assert in_view(frame(0, None, None)) == [None, None]
    assert in_view(frame(2_000, None), frame(0, None, None)) == [None]


def test_a_clock_that_jumped_back_leaves_the_earlier_events_behind() -> None:
    assert in_view(frame(0, "b"), frame(3_600_000, "a")) == ["b"]


class Clock:
    """The monotonic clock of the sinks, in seconds."""

    now_s = 0.0


async def test_no_person_flickers_while_frames_miss_some_and_who_left_is_gone(
    client: redis.Redis, redis_url: str
) -> None:
    def write(ms: int, *tracks: str) -> None:
        shown = frame(ms, *tracks)
        client.xadd(keys.emotions("lobby"), {"event": shown.pack()}, shown.frame_id)

    clock = Clock()
    async with connect_async(redis_url) as reader:
        recent = RecentEvents(reader, lambda: clock.now_s)

        async def people() -> int:
            views = await recent.read(["lobby", "yard"])
            assert set(views) == {"lobby"}, "the yard has no event"
            return len(views["lobby"].faces)

        for n in range(20):  # the last ten show no person
            write(100 * n, *["a", "b"][: 2 - n % 2 if n < 10 else 0])
            if n in (8, 9, 15):
                assert await people() == 2
        for n in range(20, 25):
            write(100 * n)
        assert await people() == 1, "a was seen 1.5 s ago, b 1.6 s"
        clock.now_s = 2.0
        assert await people() == 0, "no frame came, and no person was seen since"


async def test_all_of_the_last_events_are_read_only_if_a_person_is_missing(
    client: redis.Redis, redis_url: str
) -> None:
    for n in range(50):
        shown = frame(100 * n, "a")
        client.xadd(keys.emotions("lobby"), {"event": shown.pack()}, shown.frame_id)
    async with connect_async(redis_url) as reader:
        recent = RecentEvents(reader)
        await recent.read(["lobby"])
        client.config_resetstat()
        await recent.read(["lobby"])
        assert client.info("commandstats")["cmdstat_xrevrange"]["calls"] == 1
        for n in range(50, 53):
            shown = frame(100 * n)
            client.xadd(keys.emotions("lobby"), {"event": shown.pack()}, shown.frame_id)
        client.config_resetstat()
        views = await recent.read(["lobby"])
        assert client.info("commandstats")["cmdstat_xrevrange"]["calls"] == 2
        assert len(views["lobby"].faces) == 1
