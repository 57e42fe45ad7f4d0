"""The status of all cameras, read once for all clients."""

import asyncio
import time
from collections.abc import Collection
from dataclasses import replace
from typing import Any, Final, Protocol

from starlette.exceptions import HTTPException

from emotion_streams import CameraStatus, list_cameras
from emotion_streams.backoff import REDIS_ERRORS
from emotion_streams.connection import Client
from emotion_streams.redaction import redact
from gateway.published import Published
from gateway.redis_clock import RedisClock
from gateway.redis_health import RedisHealth
from gateway.verdicts import CameraHealth, Judgement
from service.health import Health
from service.metrics import GatewayMetrics

_EVERY_S: Final = 0.25
_AT_LEAST_EVERY_S: Final = 1.0
_STALE_S: Final = 3.0
_FIGURES_EVERY_S: Final = 1.0
_MAX_ERROR: Final = 1_000
"""Maximum characters of a producer's error; any client with its role may write there."""


class Listener(Protocol):
    """Receiver of changes."""

    def on_cameras(self, cameras: Collection[str]) -> None:
        """Handle the current set of cameras."""

    def on_change(self, status: dict[str, Any], figures_only: bool) -> None:
        """Handle a camera's changed status, as the API shows it."""

    def on_removed(self, camera: str) -> None:
        """Handle the removal of a camera from the registry."""

    def on_redis(self, readable: bool) -> None:
        """Handle that Redis is readable again, or was not for _STALE_S."""


class CameraMonitor:
    """The cameras' states, at most a second old while Redis responds."""

    def __init__(
        self,
        client: Client,
        health: Health,
        metrics: GatewayMetrics,
        listener: Listener,
    ) -> None:
        self._client = client
        self.redis_clock = RedisClock(client)
        self._health = health
        self._redis_health = RedisHealth("the cameras", health, metrics)
        self._listener = listener
        self._statuses: dict[str, CameraStatus] = {}
        self._observed: dict[str, CameraHealth] = {}
        self._judgements: dict[str, Judgement] = {}
        self._read_at = float("-inf")
        self._failing = True
        self._said_readable = True
        self._figures_at = float("-inf")

    async def run(self) -> None:
        """Refresh repeatedly. Never returns."""
        while True:
            began = time.monotonic()
            await self.refresh()
            self._health.beat()
            # With hundreds of cameras a refresh takes a while.
            took = time.monotonic() - began
            await asyncio.sleep(min(max(_EVERY_S, 4 * took), _AT_LEAST_EVERY_S))

    async def refresh(self) -> None:
        """Read the cameras once. If Redis fails, the last result is used until it is stale."""
        try:
            statuses = await list_cameras(self._client)
            await self.redis_clock.observe()
        # ValueError: a registry that something else wrote into.
        except (*REDIS_ERRORS, ValueError) as failure:
            self._failing = True
            self._redis_health.failed(failure)
            if self._said_readable and self._is_stale():
                self._said_readable = False
                self._listener.on_redis(False)
            return
        # Our producers redact their errors; those of others may not.
        before, self._statuses = (
            self._statuses,
            {
                status.camera: replace(status, error=redact(status.error, limit=_MAX_ERROR))
                for status in statuses
            },
        )
        self._judge(before)
        self._read_at, self._failing = time.monotonic(), False
        self._listener.on_cameras(self._statuses)
        self._redis_health.recovered()
        if not self._said_readable:
            self._said_readable = True
            self._listener.on_redis(True)

    def _judge(self, before: dict[str, CameraStatus]) -> None:
        """Judge each camera, and report changes to the listener."""
        for camera in self._observed.keys() - self._statuses.keys():
            del self._observed[camera], self._judgements[camera]
            self._listener.on_removed(camera)
        now = time.monotonic()
        figures_due = now - self._figures_at >= _FIGURES_EVERY_S
        if figures_due:
            self._figures_at = now
        for camera, status in self._statuses.items():
            judged = self._judgements.get(camera)
            health = self._observed.setdefault(camera, CameraHealth(now))
            self._judgements[camera] = health.update(status, now)
            shown = _visible_state(status, self._judgements[camera])
            changed = judged is None or _visible_state(before[camera], judged) != shown
            if changed or figures_due:
                self._listener.on_change(self.describe(camera), not changed)

    def on_event(self, item: Published) -> None:
        """Count an event as the newest of its camera."""
        if (health := self._observed.get(item.event.camera)) is not None:
            health.on_event(time.monotonic())

    def describe(self, camera: str) -> dict[str, Any]:
        """Return a known camera's status and verdict, as the API shows them."""
        return self._statuses[camera].to_dict() | self._judgements[camera].to_dict()

    def statuses(self) -> dict[str, CameraStatus]:
        """Return every camera by name. Raises HTTPException 503 if the result is stale."""
        if self._failing and self._is_stale():
            raise _unreachable()
        return self._statuses

    def known(self) -> dict[str, CameraStatus]:
        """Return the cameras of the last successful refresh, which may be long ago.

        Raises HTTPException 503 if there was none.
        """
        if self._read_at == float("-inf"):
            raise _unreachable()
        return self._statuses

    def _is_stale(self) -> bool:
        return time.monotonic() - self._read_at > _STALE_S


def _unreachable() -> HTTPException:
    return HTTPException(503, "Redis unreachable; try again", {"Retry-After": "1"})


def _visible_state(status: CameraStatus, judged: Judgement) -> tuple[object, ...]:
    """Return the fields whose change is reported at once; figures change all the time."""
    return status.state, status.error, status.owner, judged.verdict, judged.stale
