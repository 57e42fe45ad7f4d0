"""The cameras' present states, looked up once a second for all sinks."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from redis.exceptions import ResponseError

from emotion_streams import CameraState, CameraStatus, EmotionEvent, keys, list_cameras
from emotion_streams.backoff import REDIS_ERRORS
from emotion_streams.cancellation import check_cancelled
from emotion_streams.connection import Client
from emotion_streams.redaction import redact, short_message
from service.health import Health

_EVERY_S: Final = 1.0
_STALE_S: Final = 5.0
_MAX_ERROR: Final = 200


@dataclass(frozen=True)
class Faces:
    """What the newest event of a camera shows.

    `emotion`: the most frequent one among the faces, of equally frequent ones the largest face's;
    None without a face. A face counts with its steady label, or without one with its most likely
    emotion. `shares`: the share of the faces by emotion. `since_ms`: capture time since when it
    has been so.
    """

    faces: int
    emotion: str | None
    shares: Mapping[str, float]
    since_ms: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        return {**vars(self), "shares": dict(self.shares)}


@dataclass(frozen=True)
class CameraSnapshot:
    """What the sinks show of a camera at present.

    `state`: "unknown" while Redis cannot be read. `error`: the reason, if there is one. `shows`:
    None without an event, and while the camera is not up.
    """

    camera: str
    state: CameraState | Literal["unknown"]
    error: str
    width: int
    height: int
    fps: float
    shows: Faces | None = None

    @property
    def online(self) -> bool:
        """Whether the camera sends frames."""
        return self.state is CameraState.UP


def observe(event: EmotionEvent, before: Faces | None) -> Faces:
    """Return what an event shows; `before`: what the one before it showed."""
    faces = sorted(event.faces, key=lambda face: face.box.width * face.box.height, reverse=True)
    labels = [face.label or face.emotion for face in faces]
    counts = Counter(labels)  # ties are in the order of the first occurrence
    emotion = counts.most_common(1)[0][0] if counts else None
    shares: dict[str, float] = {
        name: round(count / len(labels), 3) for name, count in counts.items()
    }
    now = Faces(len(labels), emotion, shares, event.captured_ms)
    if before is not None and replace(before, since_ms=now.since_ms) == now:
        return before
    return now


class CameraMonitor:
    """The states of all registered cameras, a second old at most while Redis answers."""

    def __init__(self, client: Client, health: Health, every_s: float = _EVERY_S) -> None:
        self._client = client
        self._health = health
        self._every_s = every_s
        self._read_at = time.monotonic()
        self.cameras: Mapping[str, CameraSnapshot] | None = None
        """None before the first read. A new mapping whenever something has changed."""

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                cameras = await self._read()
            # ValueError: a registry that something else wrote into.
            except (*REDIS_ERRORS, ValueError) as error:
                check_cancelled()
                self._health.degrade("states", f"cameras cannot be read: {short_message(error)}")
                if time.monotonic() - self._read_at > _STALE_S:
                    self._set(self._unknown())
            else:
                self._read_at = time.monotonic()
                self._health.degrade("states", None)
                self._set(cameras)
            self._health.beat()
            await asyncio.sleep(self._every_s)

    def _set(self, cameras: Mapping[str, CameraSnapshot]) -> None:
        if cameras != self.cameras:
            self.cameras = cameras

    def _unknown(self) -> Mapping[str, CameraSnapshot]:
        return {
            name: replace(state, state="unknown", error="Redis cannot be read", fps=0.0, shows=None)
            for name, state in (self.cameras or {}).items()
        }

    async def _read(self) -> Mapping[str, CameraSnapshot]:
        statuses = await list_cameras(self._client)
        up = [status.camera for status in statuses if status.state is CameraState.UP]
        newest = await self._newest(up)
        return {status.camera: self._state(status, newest) for status in statuses}

    def _state(self, status: CameraStatus, newest: Mapping[str, EmotionEvent]) -> CameraSnapshot:
        event = newest.get(status.camera)
        earlier = (self.cameras or {}).get(status.camera)
        return CameraSnapshot(
            status.camera,
            status.state,
            # Producers redact what they report; one that does not must not show here either.
            redact(status.error, limit=_MAX_ERROR),
            status.width,
            status.height,
            # To the full frame: the last digits change with every look.
            float(round(status.fps)),
            None if event is None else observe(event, earlier.shows if earlier else None),
        )

    async def _newest(self, cameras: list[str]) -> dict[str, EmotionEvent]:
        async with self._client.pipeline(transaction=False) as pipe:
            for camera in cameras:
                pipe.xrevrange(keys.emotions(camera), count=1)
            replies = await pipe.execute(raise_on_error=False)
        events = {}
        for camera, reply in zip(cameras, replies, strict=True):
            # The camera's key may hold another type of value, which concerns no other camera.
            if isinstance(reply, Exception) and not isinstance(reply, ResponseError):
                raise reply
            if isinstance(reply, list) and reply:
                event = EmotionEvent.from_stream_entry(camera, *reply[0])
                if event is not None:
                    events[camera] = event
        return events
