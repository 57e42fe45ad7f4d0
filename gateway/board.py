"""What is known of the cameras, looked up for everybody at once."""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final

from starlette.exceptions import HTTPException

from emotion_streams import CameraStatus, list_cameras
from emotion_streams.backoff import REDIS_ERRORS
from emotion_streams.connection import Client
from emotion_streams.redaction import redact
from gateway.trouble import Trouble
from service.health import Health
from service.metrics import GatewayMetrics

_EVERY_S: Final = 0.25
_AT_LEAST_EVERY_S: Final = 1.0
_STALE_S: Final = 3.0


class Board:
    """The cameras' states, a moment old at most while Redis answers."""

    def __init__(
        self,
        client: Client,
        health: Health,
        metrics: GatewayMetrics,
        on_cameras: Callable[[Collection[str]], None],
        on_change: Callable[[CameraStatus], None],
    ) -> None:
        self._client = client
        self._health = health
        self._trouble = Trouble("the cameras", health, metrics)
        self._on_cameras = on_cameras
        self._on_change = on_change
        self._statuses: dict[str, CameraStatus] = {}
        self._read_at = float("-inf")
        self._failing = True

    async def run(self) -> None:
        """Look, again and again. Never returns."""
        while True:
            began = time.monotonic()
            await self.look()
            self._health.beat()
            # With hundreds of cameras a look takes a while.
            took = time.monotonic() - began
            await asyncio.sleep(min(max(_EVERY_S, 4 * took), _AT_LEAST_EVERY_S))

    async def look(self) -> None:
        """Look once; where Redis fails the last look stands until it is stale."""
        try:
            statuses = await list_cameras(self._client)
        # ValueError: a registry that something else wrote into.
        except (*REDIS_ERRORS, ValueError) as failure:
            self._failing = True
            self._trouble.told(failure)
            return
        # Producers redact what they say; one that does not must not show here either.
        before, self._statuses = (
            self._statuses,
            {status.camera: replace(status, error=redact(status.error)) for status in statuses},
        )
        for camera, status in self._statuses.items():
            if camera not in before or _gist(before[camera]) != _gist(status):
                self._on_change(status)
        self._read_at, self._failing = time.monotonic(), False
        self._on_cameras(self._statuses)
        self._trouble.over()

    def statuses(self) -> dict[str, CameraStatus]:
        """Every camera by name. HTTPException 503 where Redis could not be read lately."""
        if self._failing and time.monotonic() - self._read_at > _STALE_S:
            raise HTTPException(503, "Redis cannot be reached; try again", {"Retry-After": "1"})
        return self._statuses


def _gist(status: CameraStatus) -> tuple[str, str, str | None]:
    """What a viewer is told of at once; figures change all the time."""
    return status.state, status.error, status.owner
