"""The cameras' present states, looked up once a second for all sinks."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from emotion_streams import CameraState, CameraStatus, list_cameras
from emotion_streams.backoff import REDIS_ERRORS
from emotion_streams.cancellation import check_cancelled
from emotion_streams.connection import Client
from emotion_streams.redaction import redact, short_message
from service.health import Health
from sinks.in_view import InView, observe
from sinks.recent_events import RecentEvents, View

_EVERY_S: Final = 1.0
_STALE_S: Final = 5.0
_MAX_ERROR: Final = 200


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
    shows: InView | None = None

    @property
    def online(self) -> bool:
        """Whether the camera sends frames."""
        return self.state is CameraState.UP


class CameraMonitor:
    """The states of all registered cameras, a second old at most while Redis answers."""

    def __init__(self, client: Client, health: Health, every_s: float = _EVERY_S) -> None:
        self._client = client
        self._recent = RecentEvents(client)
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
        views = await self._recent.read(up)
        return {status.camera: self._state(status, views) for status in statuses}

    def _state(self, status: CameraStatus, views: Mapping[str, View]) -> CameraSnapshot:
        view = views.get(status.camera)
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
            None
            if view is None
            else observe(view.faces, view.captured_ms, earlier.shows if earlier else None),
        )
