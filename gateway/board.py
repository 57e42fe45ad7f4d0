"""What is known of the cameras, looked up for everybody at once."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final

from starlette.exceptions import HTTPException

from emotion_streams import CameraStatus, list_cameras
from emotion_streams.backoff import UNREACHABLE
from emotion_streams.connection import Client, redact
from emotion_streams.service.health import Health
from emotion_streams.service.metrics import GatewayMetrics

log = logging.getLogger(__name__)

_EVERY_S: Final = 0.5
_STALE_S: Final = 3.0


class Board:
    """The cameras' states, half a second old at most while Redis answers."""

    def __init__(
        self,
        client: Client,
        health: Health,
        metrics: GatewayMetrics,
        on_cameras: Callable[[Collection[str]], None],
    ) -> None:
        self._client = client
        self._health = health
        self._metrics = metrics
        self._on_cameras = on_cameras
        self._statuses: dict[str, CameraStatus] = {}
        self._read_at = float("-inf")

    async def run(self) -> None:
        """Look, again and again. Never returns."""
        while True:
            await self.look()
            self._health.beat()
            await asyncio.sleep(_EVERY_S)

    async def look(self) -> None:
        """Look once; where Redis fails the last look stands until it is stale."""
        try:
            statuses = await list_cameras(self._client)
        # ValueError: a registry that something else wrote into.
        except (*UNREACHABLE, ValueError) as failure:
            self._metrics.redis_errors.inc()
            if self._health.not_ready() is None:
                log.warning("cannot read the cameras", extra={"why": failure})
            self._health.set("redis", "Redis cannot be read")
            return
        # Producers redact what they say; one that does not must not show here either.
        self._statuses = {
            status.camera: replace(status, error=redact(status.error)) for status in statuses
        }
        self._read_at = time.monotonic()
        self._on_cameras(self._statuses)
        self._health.set("redis", None)

    def statuses(self) -> dict[str, CameraStatus]:
        """Every camera by name. HTTPException 503 where Redis could not be read lately."""
        if time.monotonic() - self._read_at > _STALE_S:
            raise HTTPException(503, "Redis cannot be reached; try again", {"Retry-After": "1"})
        return self._statuses
