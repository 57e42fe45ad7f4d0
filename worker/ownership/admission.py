"""The greatest number of cameras of a worker, and which cameras come first if there are more."""

import asyncio
import logging
from collections.abc import Sequence

from emotion_streams import keys
from emotion_streams.backoff import REDIS_ERRORS
from emotion_streams.cancellation import check_cancelled
from emotion_streams.connection import Client
from emotion_streams.registry import MAX_CAMERAS_PER_WORKER
from service.metrics import WorkerMetrics
from worker.ownership.sharding import limit_per_shard

log = logging.getLogger(__name__)


class Admission:
    """Limits a worker to MAX_CAMERAS_PER_WORKER."""

    def __init__(self, client: Client, metrics: WorkerMetrics) -> None:
        self._client = client
        self._metrics = metrics

    async def admit(self, cameras: Sequence[str], owned: int) -> list[str]:
        """Return those of `cameras` for which a worker that owns `owned` others has room.

        If the room is insufficient, cameras that were analysed before come first, so that newly
        registered names do not displace them.
        """
        places = max(0, MAX_CAMERAS_PER_WORKER - owned)
        self._metrics.ownership.over_limit.set(max(0, len(cameras) - places))
        if len(cameras) <= places:
            return list(cameras)
        log.warning(
            "%d cameras are registered beyond the %d that a worker owns: start more workers",
            len(cameras) - places,
            MAX_CAMERAS_PER_WORKER,
        )
        if not places:
            return []
        was_analysed = limit_per_shard(self._client, self._was_analysed)
        known = await asyncio.gather(*map(was_analysed, cameras))
        ranked = sorted(zip(known, cameras, strict=True), reverse=True)
        return [camera for _, camera in ranked[:places]]

    async def _was_analysed(self, camera: str) -> bool:
        try:
            return bool(await self._client.exists(keys.ledger(camera)))
        except REDIS_ERRORS:
            check_cancelled()
            return False
