"""The one reader of the emotions streams: into the history, the pictures and the hub."""

from collections.abc import Callable

from emotion_streams import keys, subscribe_async
from emotion_streams.backoff import persist
from emotion_streams.cameras import registered
from emotion_streams.connection import Client
from emotion_streams.service.health import Health
from gateway.history import SPAN_S, History
from gateway.hub import Hub, Published
from gateway.positions import BEGINNING, Position, format_id, parse_id


class Feed:
    """Reads from SPAN_S ago, so that the history is there before the first client is; what is
    older than the start goes into the history alone."""

    def __init__(
        self,
        url: str,
        client: Client,
        hub: Hub,
        history: History,
        on_event: Callable[[Published], None],
        health: Health,
    ) -> None:
        self._url = url
        self._client = client
        self._hub = hub
        self._history = history
        self._on_event = on_event
        self._health = health

    async def run(self) -> None:
        """Never returns; keeps its place and waits where Redis is away."""
        since, tips = await persist(self._tips)
        for camera, tip in tips.items():
            self._hub.advance(camera, tip)
        self._health.started()
        after = dict.fromkeys(tips, format_id(since))
        async for event in subscribe_async(self._url, after=after):
            item = Published.of(event)
            self._history.add(item)
            if item.position > tips.get(event.camera, BEGINNING):
                self._hub.publish(item)
                self._on_event(item)

    async def _tips(self) -> tuple[Position, dict[str, Position]]:
        """Where the history begins, and the newest event of each camera."""
        seconds, _ = await self._client.time()
        since = ((seconds - SPAN_S) * 1000, 0)
        tips = {}
        for camera in await registered(self._client):
            newest = await self._client.xrevrange(keys.emotions(camera), count=1)
            tips[camera] = parse_id(newest[0][0].decode()) if newest else since
        return since, tips
