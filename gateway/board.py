"""What is known of the cameras, looked up for everybody at once."""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, Final

from starlette.exceptions import HTTPException

from emotion_streams import CameraStatus, list_cameras
from emotion_streams.backoff import UNREACHABLE
from emotion_streams.connection import Client
from emotion_streams.redaction import redact
from gateway.hub import Published
from gateway.trouble import Trouble
from gateway.verdicts import CameraHealth, Judgement
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
        on_change: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self._client = client
        self._health = health
        self._trouble = Trouble("the cameras", health, metrics)
        self._on_cameras = on_cameras
        self._on_change = on_change
        self._statuses: dict[str, CameraStatus] = {}
        self._observed: dict[str, CameraHealth] = {}
        self._judgements: dict[str, Judgement] = {}
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
        except (*UNREACHABLE, ValueError) as failure:
            self._failing = True
            self._trouble.told(failure)
            return
        # Producers redact what they say; one that does not must not show here either.
        before, self._statuses = (
            self._statuses,
            {status.camera: replace(status, error=redact(status.error)) for status in statuses},
        )
        for camera in self._observed.keys() - self._statuses.keys():
            del self._observed[camera], self._judgements[camera]
        now = time.monotonic()
        for camera, status in self._statuses.items():
            judged = self._judgements.get(camera)
            health = self._observed.setdefault(camera, CameraHealth(now))
            self._judgements[camera] = health.update(status, now)
            shown = _visible_state(status, self._judgements[camera])
            if judged is None or _visible_state(before[camera], judged) != shown:
                self._on_change(camera, self.describe(camera))
        self._read_at, self._failing = time.monotonic(), False
        self._on_cameras(self._statuses)
        self._trouble.over()

    def on_event(self, item: Published) -> None:
        """An event of a camera has come."""
        if (health := self._observed.get(item.event.camera)) is not None:
            health.on_event(time.monotonic())

    def describe(self, camera: str) -> dict[str, Any]:
        """A known camera's status and verdict, as the API shows them."""
        return self._statuses[camera].to_dict() | self._judgements[camera].to_dict()

    def statuses(self) -> dict[str, CameraStatus]:
        """Every camera by name. HTTPException 503 where Redis could not be read lately."""
        if self._failing and time.monotonic() - self._read_at > _STALE_S:
            raise HTTPException(503, "Redis cannot be reached; try again", {"Retry-After": "1"})
        return self._statuses


def _visible_state(status: CameraStatus, judged: Judgement) -> tuple[object, ...]:
    """What a viewer is told of at once; figures change all the time."""
    return status.state, status.error, status.owner, judged.verdict, judged.stale
