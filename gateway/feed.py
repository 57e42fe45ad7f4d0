"""The one reader of events and episodes: into the history, the pictures and the hub."""

import asyncio
from collections.abc import Callable

from redis.exceptions import ResponseError

from emotion_streams import keys, subscribe_async, subscribe_episodes_async
from emotion_streams.backoff import is_wrong_type, retry_forever
from emotion_streams.connection import Client
from emotion_streams.registry import registered
from emotion_streams.stream_id import ZERO, StreamId
from gateway.history import SPAN_S, History
from gateway.hub import Hub
from gateway.published import Published, PublishedEpisode
from gateway.redis_health import RedisHealth
from service.health import Health
from service.metrics import GatewayMetrics


class Feed:
    """Reads all events from SPAN_S before each camera's newest, and the episodes from now on.

    So the history is complete before the first client connects. Events older than the start go
    only into the history.
    """

    def __init__(
        self,
        url: str,
        client: Client,
        hub: Hub,
        history: History,
        on_event: Callable[[Published], None],
        health: Health,
        metrics: GatewayMetrics,
    ) -> None:
        self._url = url
        self._client = client
        self._hub = hub
        self._history = history
        self._on_event = on_event
        self._health = health
        self._redis_health = RedisHealth("the events", health, metrics)
        self._episode_tips: dict[str, StreamId] = {}
        self._began_ms = 0
        self._has_tips = asyncio.Event()

    async def run(self) -> None:
        """Read until cancelled; if Redis is unreachable, wait and resume at the same position."""
        tips, self._episode_tips = await retry_forever(self._tips, self._redis_health.failed)
        self._redis_health.recovered()
        for camera, tip in tips.items():
            self._hub.advance(camera, tip)
        for camera, tip in self._episode_tips.items():
            self._hub.advance(camera, tip, "episode")
        self._has_tips.set()
        self._health.started()
        # From each camera's own newest event, because the cameras' clocks may differ.
        after = {camera: str(_before(tip)) for camera, tip in tips.items()}
        async for event in subscribe_async(self._url, after=after):
            item = Published.of(event)
            live = item.position > tips.get(event.camera, ZERO)
            self._history.add(item, live)
            if live:
                self._hub.publish(item)
                self._on_event(item)

    async def run_episodes(self) -> None:
        """Beside `run`, after its start. Never returns."""
        await self._has_tips.wait()
        after = {camera: str(tip) for camera, tip in self._episode_tips.items()}
        async for episode in subscribe_episodes_async(self._url, after=after):
            item = PublishedEpisode.of(episode)
            # Records outlive their camera: of one that returns, only new ones are news.
            if item.camera in after or item.position.ms >= self._began_ms:
                self._hub.publish(item)

    async def _tips(self) -> tuple[dict[str, StreamId], dict[str, StreamId]]:
        """Return the id of each camera's newest event, and of its newest episode."""
        seconds, microseconds = await self._client.time()
        self._began_ms = seconds * 1000 + microseconds // 1000
        cameras = list(await registered(self._client))
        return (
            {camera: await self._tip(keys.emotions(camera)) for camera in cameras},
            {camera: await self._tip(keys.episodes(camera)) for camera in cameras},
        )

    async def _tip(self, key: str) -> StreamId:
        try:
            newest = await self._client.xrevrange(key, count=1)
        except ResponseError as error:
            if not is_wrong_type(error):
                raise
            newest = []  # the subscription names the camera in a warning
        return StreamId.parse(newest[0][0].decode()) if newest else ZERO


def _before(tip: StreamId) -> StreamId:
    return StreamId(max(0, tip.ms - SPAN_S * 1000), 0)
