"""Analysed pictures, in memory only: frames as they pass through Redis, joined with their events.

A worker deletes a frame as soon as it has committed its event, so the pictures are taken from the
frames streams as they are added, outside the workers' group, and wait here for the event with
their id. Frames are large, so a camera is read only while it has viewers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from emotion_streams import EmotionEvent, Frame, MalformedMessageError, keys
from emotion_streams.backoff import retry_forever
from emotion_streams.cancellation import create_task
from emotion_streams.connection import Client
from gateway.cursor import ZERO, StreamId, parse_id
from gateway.join import Join
from gateway.published import Published
from service.metrics import GatewayMetrics

LINGER_S: Final = 3.0
"""A camera is read this long after its last viewer, so that polling frame.jpg stays cheap."""

_BLOCK_MS: Final = 1000
_BATCH: Final = 2
"""Frames per read: more of the largest would exceed Valkey's output buffer limit."""

PostProcess = Callable[[bytes, EmotionEvent], Awaitable[bytes]]
"""Processing of a JPEG before it is sent."""


@dataclass(frozen=True)
class Picture:
    """A JPEG and the id of its frame, whose event was published before."""

    camera: str
    frame_id: str
    jpeg: bytes


class Viewer:
    """One viewer of some cameras: wakes when any of them has a newer picture."""

    def __init__(self, feeds: Iterable["_CameraFeed"]) -> None:
        self._feeds = tuple(feeds)
        self._sent: dict[str, str] = {}
        self._news = asyncio.Event()
        self._news.set()  # a picture may be available already
        self.closed = False

    def wake(self) -> None:
        """Wake the viewer: a camera has a newer picture, or the gateway stops."""
        self._news.set()

    async def take(self, timeout_s: float) -> list[Picture]:
        """Return each camera's newest picture that was not taken yet; wait for the first."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self.closed:
                    await self._news.wait()
                    self._news.clear()
                    if pictures := self._untaken():
                        return pictures
        except TimeoutError:
            pass
        return []

    def _untaken(self) -> list[Picture]:
        pictures = [
            feed.newest
            for feed in self._feeds
            if feed.newest and self._sent.get(feed.camera) != feed.newest.frame_id
        ]
        self._sent.update((picture.camera, picture.frame_id) for picture in pictures)
        return pictures


class _CameraFeed:
    """A camera with viewers, or whose last viewer left less than LINGER_S ago."""

    def __init__(self, camera: str, finish: PostProcess, metrics: GatewayMetrics) -> None:
        self.camera = camera
        self.newest: Picture | None = None
        self.viewers: set[Viewer] = set()
        self._closed = False
        self._finish = finish
        self._metrics = metrics
        self._join = Join()
        self._ready: asyncio.Queue[tuple[str, bytes, EmotionEvent]] = asyncio.Queue(maxsize=1)

    def on_event(self, item: Published) -> None:
        jpeg = self._join.event(item)
        if jpeg is not None:
            self._offer(item.event, jpeg)

    def close(self) -> None:
        """Stop reading."""
        self._closed = True

    async def run(self, client: Client) -> None:
        """Read and process pictures until closed and cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read(client))
            group.create_task(self._show())

    async def _read(self, client: Client) -> None:
        key, last = keys.frames(self.camera), "0-0"
        # The flag, because redis-py may lose a cancellation (see `check_cancelled`).
        while not self._closed:
            step = partial(client.xread, {key: last}, count=_BATCH, block=_BLOCK_MS)
            reply = await retry_forever(step, lambda _: self._metrics.redis_errors.inc())
            for entry_id, fields in reply[0][1] if reply else ():
                last = entry_id.decode()
                self._on_frame(parse_id(last), fields)

    def _on_frame(self, position: StreamId, fields: dict[bytes, bytes]) -> None:
        try:
            frame = Frame.unpack(fields[b"frame"])
        except (MalformedMessageError, KeyError):
            return  # the worker dead-letters it
        self._metrics.frames_read_bytes.inc(len(frame.jpeg))
        event = self._join.frame(position, frame.jpeg)
        if event is not None:
            self._offer(event, frame.jpeg)

    def _offer(self, event: EmotionEvent, jpeg: bytes) -> None:
        """Queue the picture for processing; it replaces one that still waits."""
        if self._ready.full():
            self._ready.get_nowait()
        self._ready.put_nowait((event.frame_id, jpeg, event))

    async def _show(self) -> None:
        shown = ZERO
        while True:
            frame_id, jpeg, event = await self._ready.get()
            if parse_id(frame_id) <= shown:
                continue
            try:
                finished = await self._finish(jpeg, event)
            except ValueError:
                continue  # not a valid picture: it is not sent
            shown = parse_id(frame_id)
            self.newest = Picture(self.camera, frame_id, finished)
            for viewer in self.viewers:
                viewer.wake()


class FrameCache:
    """The cameras with viewers. Each is read once for all of its viewers."""

    def __init__(
        self, client: Client, finish: PostProcess, metrics: GatewayMetrics, group: asyncio.TaskGroup
    ) -> None:
        self._client = client
        self._finish = finish
        self._metrics = metrics
        self._group = group
        self._feeds: dict[str, _CameraFeed] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.closed = False

    def on_event(self, item: Published) -> None:
        """Join the event with its picture."""
        feed = self._feeds.get(item.event.camera)
        if feed is not None:
            feed.on_event(item)

    @contextmanager
    def watch(self, cameras: Iterable[str]) -> Iterator[Viewer]:
        """View the cameras while the context lasts; none after `close`."""
        # A reader that starts now would never be stopped.
        names = () if self.closed else dict.fromkeys(cameras)
        feeds = [self._feed(camera) for camera in names]
        viewer = Viewer(feeds)
        viewer.closed = self.closed
        for feed in feeds:
            feed.viewers.add(viewer)
        try:
            yield viewer
        finally:
            for feed in feeds:
                feed.viewers.discard(viewer)
                asyncio.get_running_loop().call_later(LINGER_S, self._drop_unwatched, feed)

    def _feed(self, camera: str) -> _CameraFeed:
        if camera not in self._feeds:
            feed = _CameraFeed(camera, self._finish, self._metrics)
            self._feeds[camera] = feed
            self._tasks[camera] = create_task(self._group, feed.run(self._client))
            self._metrics.watched.set(len(self._feeds))
        return self._feeds[camera]

    def _drop_unwatched(self, feed: _CameraFeed) -> None:
        if feed.viewers or self._feeds.get(feed.camera) is not feed:
            return
        del self._feeds[feed.camera]
        feed.close()
        self._tasks.pop(feed.camera).cancel()
        self._metrics.watched.set(len(self._feeds))

    def close(self) -> None:
        """End every viewer, and stop reading."""
        self.closed = True
        for feed in self._feeds.values():
            feed.close()
            for viewer in feed.viewers:
                viewer.closed = True
                viewer.wake()
        for task in self._tasks.values():
            task.cancel()


async def passthrough(jpeg: bytes, event: EmotionEvent) -> bytes:  # noqa: ARG001 - a PostProcess
    """Return the JPEG unchanged."""
    return jpeg
