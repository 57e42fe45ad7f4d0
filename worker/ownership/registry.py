"""Finds the cameras that need an owner, and removes cameras without a heartbeat."""

import asyncio
import time
from collections.abc import Iterable
from typing import Final

from emotion_streams import keys
from emotion_streams.backoff import REDIS_ERRORS, is_wrong_type
from emotion_streams.camera_report import MAX_REPORT_BYTES
from emotion_streams.cancellation import check_cancelled
from emotion_streams.connection import Client
from emotion_streams.frames import MAX_AHEAD_MS
from emotion_streams.registry import MAX_CAMERAS, latest_heartbeat, registered
from worker.delivery.types import Retention
from worker.ownership.failures import CameraFailures
from worker.ownership.sharding import limit_per_shard
from worker.redis_scripts import load_script

SILENT_MS: Final = 60_000
"""A camera without a heartbeat for this long is released once none of its frames is queued."""

_RETIRE_EVERY_S: Final = 60.0


class CameraRegistry:
    """The workers' view of the registry of cameras."""

    def __init__(self, client: Client, retention: Retention, failures: CameraFailures) -> None:
        self._client = client
        self._age_ms = retention.age_ms
        self._failures = failures
        self._tidy_script = load_script(client, __file__, "registry")
        self._retire_script = load_script(client, __file__, "retire")
        self._retire_at = 0.0

    async def tidy(self, now_ms: float, analysed: Iterable[str]) -> None:
        """Remove invalid names from the registry, and record that these cameras are analysed here.

        Without this a producer could hide cameras from all readers by very long, or by very many
        names. `now_ms` is by the clock of Redis.
        """
        limits = (round(now_ms), latest_heartbeat(now_ms), MAX_CAMERAS)
        await self._tidy_script(keys=[keys.CAMERAS, keys.ANALYSED], args=[*limits, *analysed])

    async def cameras_needing_owner(self, now_ms: float) -> set[str]:
        """Return the cameras with a recent heartbeat, queued frames or open tracks.

        Each of them needs an owner.

        `now_ms` is by the clock of Redis. Expired data of the other cameras is dropped
        periodically.
        """
        names = await registered(self._client, now_ms)
        silent = [name for name, heartbeat_ms in names.items() if now_ms - heartbeat_ms > SILENT_MS]
        waits = await asyncio.gather(*map(limit_per_shard(self._client, self._has_work), silent))
        retired = {camera for camera, waiting in zip(silent, waits, strict=True) if not waiting}
        if time.monotonic() >= self._retire_at:
            self._retire_at = time.monotonic() + _RETIRE_EVERY_S
            await asyncio.gather(*map(limit_per_shard(self._client, self._retire), retired))
        return names.keys() - retired

    async def _has_work(self, camera: str) -> bool:
        """Return whether frames are queued, or tracks open that an owner has to close."""
        try:
            if await self._client.xlen(keys.frames(camera)):
                return True
            return bool(await self._client.hget(keys.tracks(camera), "open") == b"1")
        except REDIS_ERRORS as error:
            # While its shard is unreachable the answer is unknown, and the camera is kept. A key of
            # another type has no frames.
            return not is_wrong_type(error)

    async def _retire(self, camera: str) -> None:
        """Drop the expired data of one camera. A failure affects this camera alone."""
        try:
            gone = await self._retire_script(
                keys=keys.camera_keys(camera), args=[self._age_ms, MAX_AHEAD_MS, MAX_REPORT_BYTES]
            )
            if gone:
                await self._client.zrem(keys.CAMERAS, camera)
                await self._client.zrem(keys.ANALYSED, camera)
        except REDIS_ERRORS as error:
            check_cancelled()
            self._failures.failed(camera, "retire", error)
        else:
            self._failures.succeeded(camera)
