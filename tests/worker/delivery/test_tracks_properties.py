"""The stored state of a camera follows from its frames alone, after every fault of its owners."""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emotion_streams import Episode, EpisodeType, Minute, keys
from emotion_streams.connection import Client, connect_async
from emotion_streams.emotions import EMOTIONS
from emotion_streams.events import Model
from emotion_streams.faces import Box
from emotion_streams.ledger import Outcome
from tests import samples
from tests.episodes_audit import audit
from tests.servers import RedisProcess
from tests.worker.tracking.audit import Audit
from worker.delivery.publish import Batch, build_batch, build_closing
from worker.delivery.stream import CameraStream
from worker.delivery.types import Completion, QueuedFrame, Retention
from worker.inference.detect import Detection
from worker.inference.faces import DetectedFaces
from worker.inference.pipeline import AnalysedFrame, ClassifiedFaces
from worker.ownership.lease import Leases
from worker.tracking import Policy, Sighting
from worker.tracking.camera_tracker import CameraTracker

EXAMPLES: Final = 500
MODEL: Final = Model("stub", "1", "stub")
FIRST_MS: Final = int(time.time() // 60 - 30) * 60_000
"""Young enough for minutes and episodes to be kept."""

_names = itertools.count()

FACES: Final = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(EMOTIONS[:3])),
    max_size=3,
    unique_by=lambda f: f[0],
)
"""Place and emotion of each face."""

FRAMES: Final = st.tuples(
    st.just("frames"),
    st.lists(
        st.tuples(st.sampled_from([40, 100, 200, 1000, 2500]), FACES), min_size=1, max_size=12
    ),
)
DISTURBANCES: Final = st.sampled_from(
    [("crash before its commit",), ("crash after its commit",), ("lost reply",), ("handover",)]
)
SILENCE: Final = st.sampled_from([("silence", 0), ("silence", 70_000)])
"""The camera's clock goes on by so much meanwhile; 0 if it does not go on until the next frame."""

STORY: Final = st.lists(FRAMES | FRAMES | DISTURBANCES | SILENCE, max_size=12)


@dataclass
class Stored:
    """What is stored of a camera.

    `texts`: its episodes, minutes and state to the last byte, independent of its name.
    """

    texts: list[str]
    episodes: list[Episode]
    minutes: list[Minute]


@dataclass
class Owner:
    """A worker's hold on the camera."""

    stream: CameraStream
    tracker: CameraTracker


class Camera:
    """A camera whose owners do what a story says."""

    def __init__(self, client: Client, pictures: dict[str, Sequence[tuple[int, str]]]) -> None:
        self.name = f"cam{next(_names):08}"
        self.at_ms = FIRST_MS
        self._client = client
        self._pictures = pictures
        self._owner: Owner | None = None
        self._crash = ""

    async def play(self, story: Sequence[tuple[Any, ...]], *, disturbed: bool) -> "Stored":
        """Follow the story; return the episodes, the minutes and the state that are stored then."""
        await self._take_over()
        for what, *details in story:
            if what == "frames":
                await self._show(*details)
            elif what == "silence":
                await self._close()
                self.at_ms += details[0]
            elif disturbed and what == "handover":
                await self._take_over()
            elif disturbed:
                self._crash = what  # strikes at the next commit
        await self._close()
        episodes: Any = await self._client.xrange(keys.episodes(self.name))
        minutes: Any = await self._client.xrange(keys.minutes(self.name))
        state = await self._client.hget(keys.tracks(self.name), "state")
        stored = [[fields[b"episode"] for _, fields in episodes], minutes, state]
        texts = [repr(each).replace(self.name, "CAMERA") for each in stored]
        return Stored(
            texts,
            [Episode.unpack(fields[b"episode"]) for _, fields in episodes],
            [Minute.unpack(fields[b"minute"]) for _, fields in minutes],
        )

    async def _take_over(self) -> None:
        await self._client.hset(keys.lease(self.name), "expires_ms", 0)
        lease = await Leases(self._client, f"worker{next(_names)}").acquire(self.name)
        assert lease
        stream = CameraStream(self._client, lease, Retention())
        await stream.maintain()
        claimed = await stream.claim([])
        tracker = CameraTracker(self.name, Policy())
        await _load(stream, tracker)
        self._owner = Owner(stream, tracker)
        for queued in claimed.frames:
            await stream.begin(queued.frame_id, queued.deliveries)
        await self._work(claimed.frames)

    async def _show(self, frames: Sequence[tuple[int, Sequence[tuple[int, str]]]]) -> None:
        for gap_ms, faces in frames:
            self.at_ms += gap_ms
            frame_id = f"{self.at_ms}-0"
            self._pictures[frame_id] = faces
            frame = samples.frame(self.at_ms, jpeg=b"jpeg")
            await self._client.xadd(keys.frames(self.name), {"frame": frame.pack()}, id=frame_id)
        assert self._owner
        await self._work(await self._owner.stream.read())

    async def _work(self, frames: Sequence[QueuedFrame]) -> None:
        if not frames:
            return
        assert self._owner
        tracker, crash = self._owner.tracker, self._crash
        completions = [self._analyse(tracker, queued) for queued in frames]
        self._crash = ""
        if crash == "crash before its commit":
            await self._take_over()  # and the next owner claims them
            return
        await self._store(build_batch(completions, tracker, MODEL), crash == "lost reply")
        if crash:
            await self._take_over()

    async def _close(self) -> None:
        assert self._owner
        tracker = self._owner.tracker
        step = tracker.close_silent(self.at_ms + 70_000)
        await self._store(build_closing(step, tracker), reply_is_lost=False)
        await _load(self._owner.stream, tracker)

    async def _store(self, batch: Batch, reply_is_lost: bool) -> None:
        assert self._owner
        for _ in range(1 + reply_is_lost):
            committed = await self._owner.stream.commit(batch.completions, batch.tracks)
            assert committed.tracks_stored
        self._owner.tracker.commit(batch.state, batch.tracks.version)

    def _analyse(self, tracker: CameraTracker, queued: QueuedFrame) -> Completion:
        faces = self._pictures[queued.frame_id]
        found = tuple(Detection(Box(200.0 * place, 50.0, 60.0, 60.0), 0.9) for place, _ in faces)
        crops = np.zeros((len(found), 8, 8, 3), np.uint8)
        sightings = tuple(Sighting(each.box, each.score) for each in found)
        detected = DetectedFaces(800, 600, found, crops, 0.001, 0.001, sightings)
        assert queued.frame
        tracked = tracker.associate(queued.frame_id, queued.frame.captured_ms, detected.sightings)
        rows = np.full((len(faces), 8), 0.05, np.float32)
        for n, (_, emotion) in enumerate(faces):
            rows[n, list[str](EMOTIONS).index(emotion)] = 0.65
        emotions = ClassifiedFaces(rows, (None,) * len(faces), 0.001)
        analysed = AnalysedFrame(queued.frame_id, queued.frame, detected, tracked, emotions, 0, 0)
        return Completion(queued.frame_id, Outcome.ANALYSED, analysed=analysed)


async def _load(stream: CameraStream, tracker: CameraTracker) -> None:
    stored = await stream.load_tracks()
    assert tracker.load(stored.version, stored.state) is None


@pytest.mark.timeout(1800)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(story=STORY)
async def test_crashes_takeovers_and_lost_replies_leave_no_trace(
    redis_server: RedisProcess, story: list[tuple[Any, ...]]
) -> None:
    client = connect_async(redis_server.url)
    try:
        runs = []
        for disturbed in (False, True):
            camera = Camera(client, {})
            runs.append(await camera.play(story, disturbed=disturbed))
        undisturbed, stored = runs
        assert stored.texts == undisturbed.texts
        assert audit(stored.episodes) == ([], set())
        check_each_track(stored.episodes)
        if ("silence", 0) not in story:  # after it, frames are of a minute that is closed
            check_sums(stored.episodes, stored.minutes)
    finally:
        await client.aclose()


def check_each_track(episodes: Sequence[Episode]) -> None:
    """Its records are in the order of their times, do not overlap, and their durations add up."""
    tracks = Audit()
    tracks.add(episodes)
    tracks.finish()


def check_sums(episodes: Sequence[Episode], minutes: Sequence[Minute]) -> None:
    """The minutes add up to the tracks and their emotions."""
    people = [minute.people for minute in minutes if minute.people]
    left = [each for each in episodes if each.type is EpisodeType.FACE_LEFT]
    started = [each for each in episodes if each.type is EpisodeType.EMOTION_STARTED]
    assert sum(each.entered for each in people) == sum(each.left for each in people) == len(left)
    assert sum(sum(each.episodes.values()) for each in people) == len(started)
    # A face that is hidden over the end of a minute counts in neither for as long.
    assert sum(each.face_ms for each in people) <= sum(each.duration_ms for each in left)
    shown_ms = sum(sum((each.emotion_ms or {}).values()) for each in left)
    assert sum(sum(each.emotion_ms.values()) for each in people) <= shown_ms
