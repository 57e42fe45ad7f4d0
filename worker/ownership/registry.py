"""Which cameras want an owner, and what becomes of those that are not heard of any more."""

import asyncio
import time
from collections.abc import Collection
from typing import Final

from emotion_streams import keys
from emotion_streams.backoff import REDIS_ERRORS
from emotion_streams.cameras import registered
from emotion_streams.connection import Client
from worker.delivery.stream import Retention
from worker.ownership.sharding import few_at_once
from worker.redis_scripts import load_script

SILENT_MS: Final = 60_000
"""A camera not heard for this long is let go once nothing of it waits."""

_RETIRE_EVERY_S: Final = 60.0


class Attached:
    """The registry of cameras as the workers use it."""

    def __init__(self, client: Client, retention: Retention) -> None:
        self._client = client
        self._age_ms = retention.age_ms
        self._retire_script = load_script(client, __file__, "retire")
        self._retire_at = 0.0

    async def wanting_an_owner(self, now_ms: float) -> set[str]:
        """Cameras that some worker must own: heard lately, or with frames left. `now_ms` is by the
        clock of Redis. Of the others, what is past its age is dropped once in a while."""
        names = await registered(self._client)
        silent = [name for name, heard_ms in names.items() if now_ms - heard_ms > SILENT_MS]
        waits = await asyncio.gather(*map(few_at_once(self._client, self._has_frames), silent))
        retired = {camera for camera, waiting in zip(silent, waits, strict=True) if not waiting}
        if time.monotonic() >= self._retire_at:
            self._retire_at = time.monotonic() + _RETIRE_EVERY_S
            await self._retire(retired)
        return names.keys() - retired

    async def _has_frames(self, camera: str) -> bool:
        try:
            return bool(await self._client.xlen(keys.frames(camera)))
        except REDIS_ERRORS:  # its shard is away: nobody knows, so nobody lets it go
            return True

    async def _retire(self, cameras: Collection[str]) -> None:
        for camera in cameras:
            gone = await self._retire_script(
                keys=[
                    keys.lease(camera),
                    keys.frames(camera),
                    keys.emotions(camera),
                    keys.dead(camera),
                    keys.ledger(camera),
                    keys.camera_info(camera),
                ],
                args=[self._age_ms],
            )
            if gone:
                await self._client.zrem(keys.CAMERAS, camera)
