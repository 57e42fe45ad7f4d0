"""Fan-out of one reader's events to many clients. A slow client delays no other client."""

import asyncio
import json
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from emotion_streams.stream_id import ZERO, StreamId
from gateway.cursor import KINDS, Kind
from gateway.published import Item
from service.metrics import GatewayMetrics

_QUEUE: Final = 512
"""Events and episodes queued for a client: some seconds of many cameras."""


class Subscription:
    """A client's queue. If it is full, its events are dropped for the newest one.

    Episodes are few, and each is the only record of what began or ended: they are dropped only if
    the queue is full of them.
    """

    def __init__(
        self, cameras: frozenset[str] | None, figures: bool, kinds: frozenset[Kind]
    ) -> None:
        self.cameras = cameras
        self.figures = figures
        self.kinds = kinds
        self._queue: deque[Item] = deque()
        self._dropped = 0
        self._notices: dict[tuple[str, str], Notice] = {}
        self._closed = False
        self._news = asyncio.Event()

    def offer(self, item: Item) -> int:
        """Queue the item. Return how many older ones were dropped for it."""
        dropped = 0
        if len(self._queue) >= _QUEUE:
            kept = [each for each in self._queue if each.kind == "episode"]
            if len(kept) == len(self._queue):
                kept = []
            dropped = len(self._queue) - len(kept)
            self._queue = deque(kept)
        self._dropped += dropped
        self._queue.append(item)
        self._news.set()
        return dropped

    def notify(self, notice: "Notice") -> None:
        """Queue a notice; it replaces an older one about the same subject."""
        key = (notice.name, notice.subject)
        self._notices.pop(key, None)  # so that the order is that of the news
        self._notices[key] = notice
        self._news.set()

    def close(self) -> None:
        """End the subscription: `take` returns at once."""
        self._closed = True
        self._news.set()

    @property
    def closed(self) -> bool:
        """Whether the gateway is stopping."""
        return self._closed

    async def take(self, timeout_s: float) -> "Batch":
        """Wait for the first item and return all that is queued; nothing on a timeout."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            return Batch()
        taken = Batch(tuple(self._queue), self._dropped, tuple(self._notices.values()))
        self._queue.clear()
        self._notices.clear()
        self._dropped = 0
        if not self._closed:
            self._news.clear()
        return taken


@dataclass(frozen=True)
class Notice:
    """A message other than an event: its name, its subject, and JSON for the clients."""

    name: str
    subject: str
    data: bytes


@dataclass(frozen=True)
class Batch:
    """Queued events, the number dropped before them, and notices."""

    items: tuple[Item, ...] = ()
    dropped: int = 0
    notices: tuple[Notice, ...] = ()


class Hub:
    """Passes each event on to every subscription."""

    def __init__(self, metrics: GatewayMetrics) -> None:
        self._metrics = metrics
        self._subscriptions: set[Subscription] = set()
        self._tips: dict[Kind, dict[str, StreamId]] = {kind: {} for kind in KINDS}
        self._closed = False

    def tip(self, camera: str, kind: Kind = "emotion") -> StreamId:
        """Return the newest event, or episode, of the camera that was published."""
        return self._tips[kind].get(camera, ZERO)

    def advance(self, camera: str, position: StreamId, kind: Kind = "emotion") -> None:
        """Set the camera's newest position without publishing an event."""
        self._tips[kind][camera] = max(self.tip(camera, kind), position)

    def keep(self, cameras: Collection[str]) -> None:
        """Remove the positions of every other camera."""
        for tips in self._tips.values():
            for camera in tips.keys() - set(cameras):
                del tips[camera]

    def publish(self, item: Item) -> None:
        """Hand the event or episode to every subscription that wants its camera and kind."""
        camera = item.camera
        self.advance(camera, item.position, item.kind)
        for subscription in self._subscriptions:
            if item.kind not in subscription.kinds:
                continue
            if subscription.cameras is None or camera in subscription.cameras:
                self._metrics.dropped_events.inc(subscription.offer(item))

    def announce(self, camera: str, status: bytes, figures_only: bool = False) -> None:
        """Send a camera's changed status (JSON) to each subscription to it.

        `figures_only`: send it only to subscriptions with `figures`.
        """
        self._notify(Notice("camera", camera, status), camera, figures_only)

    def announce_removed(self, camera: str) -> None:
        """Notify each subscription to the camera that it is no longer registered."""
        data = json.dumps({"camera": camera}).encode()
        self._notify(Notice("removed", camera, data), camera)

    def announce_redis(self, readable: bool) -> None:
        """Notify each subscription whether Redis is readable."""
        self._notify(Notice("redis", "", json.dumps({"readable": readable}).encode()))

    def _notify(
        self, notice: Notice, camera: str | None = None, figures_only: bool = False
    ) -> None:
        for subscription in self._subscriptions:
            wanted = (
                camera is None or subscription.cameras is None or camera in subscription.cameras
            )
            if wanted and (subscription.figures or not figures_only):
                subscription.notify(notice)

    @contextmanager
    def subscribe(
        self,
        cameras: frozenset[str] | None,
        figures: bool = False,
        kinds: frozenset[Kind] = KINDS,
    ) -> Iterator[Subscription]:
        """Subscribe to these cameras, or to all, while the context lasts.

        `figures`: also send statuses of which only figures changed. `kinds`: whether
        events, episodes or both are wanted.
        """
        subscription = Subscription(cameras, figures, kinds)
        if self._closed:
            subscription.close()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def close(self) -> None:
        """End every subscription, present and future."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.close()
