"""Reads the last events of many cameras, as few as say who is in view."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from redis.exceptions import ResponseError

from emotion_streams import EmotionEvent, Face, keys
from emotion_streams.connection import Client
from emotion_streams.episodes import TRACK_GAP_MS
from emotion_streams.stream_id import StreamId
from sinks.in_view import faces_in_view

_USUAL: Final = 2
"""Events of a camera that are read each time."""

_MOST: Final = 64
"""Events that are read of a camera whose newest ones miss a person: TRACK_GAP_MS at 40 fps."""


@dataclass(frozen=True)
class View:
    """The faces in view of a camera. `frame_id`, `captured_ms`: of its newest event.

    `since_s`: when that event was first read, by the monotonic clock.
    """

    frame_id: str
    captured_ms: int
    since_s: float
    faces: Sequence[Face]

    @property
    def tracks(self) -> frozenset[str]:
        """The tracks of the faces."""
        return frozenset(face.track for face in self.faces if face.track)


class RecentEvents:
    """The views of cameras, each time they are asked for."""

    def __init__(self, client: Client, now_s: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._now_s = now_s
        self._views: Mapping[str, View] = {}

    async def read(self, cameras: Collection[str]) -> Mapping[str, View]:
        """Return the view of each of these cameras that has an event. Raises redis-py's errors."""
        events = await self._events(dict.fromkeys(cameras, "-"), _USUAL)
        # Most people are in the newest events. All of TRACK_GAP_MS would be many times as many.
        missing = {
            camera: str(max(0, StreamId.parse(found[0].frame_id).ms - TRACK_GAP_MS))
            for camera, found in events.items()
            if self._misses_a_person(camera, found)
        }
        events |= await self._events(missing, _MOST)
        self._views = {camera: self._view(camera, found) for camera, found in events.items()}
        return self._views

    def _misses_a_person(self, camera: str, events: Sequence[EmotionEvent]) -> bool:
        before = self._views.get(camera)
        return before is not None and not before.tracks.issubset(
            face.track for event in events for face in event.faces
        )

    def _view(self, camera: str, events: Sequence[EmotionEvent]) -> View:
        newest, now_s = events[0], self._now_s()
        before = self._views.get(camera)
        is_same = before is not None and before.frame_id == newest.frame_id
        since_s = before.since_s if before is not None and is_same else now_s
        faces = faces_in_view(events, (now_s - since_s) * 1000)
        return View(newest.frame_id, newest.captured_ms, since_s, faces)

    async def _events(
        self, starts: Mapping[str, str], count: int
    ) -> dict[str, Sequence[EmotionEvent]]:
        """Return the last events of cameras, newest first; none before a camera's start."""
        async with self._client.pipeline(transaction=False) as pipe:
            for camera, start in starts.items():
                pipe.xrevrange(keys.emotions(camera), min=start, count=count)
            replies = await pipe.execute(raise_on_error=False)
        found: dict[str, Sequence[EmotionEvent]] = {}
        for camera, reply in zip(starts, replies, strict=True):
            # The camera's key may hold another type of value, which concerns no other camera.
            if isinstance(reply, Exception) and not isinstance(reply, ResponseError):
                raise reply
            if isinstance(reply, list):
                parsed = (EmotionEvent.from_stream_entry(camera, *entry) for entry in reply)
                if events := [event for event in parsed if event is not None]:
                    found[camera] = events
        return found
