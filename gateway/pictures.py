"""Analysed pictures, in memory only: frames as they pass through Redis, joined with their events.

A worker deletes a frame as soon as it has committed its event, so the pictures are taken from the
frames streams as they are added, outside the workers' group, and wait here for the event with
their id. Frames are large, so a camera is read only while it has viewers.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from emotion_streams.cancellation import create_task
from emotion_streams.connection import Client
from gateway.camera_feed import CameraFeed, PostProcess
from gateway.published import Published
from gateway.viewer import Viewer
from service.metrics import GatewayMetrics

LINGER_S: Final = 3.0
"""A camera is read this long after its last viewer, so that polling frame.jpg stays cheap."""


class FrameCache:
    """The cameras with viewers. Each is read once for all of its viewers."""

    def __init__(
        self, client: Client, finish: PostProcess, metrics: GatewayMetrics, group: asyncio.TaskGroup
    ) -> None:
        self._client = client
        self._finish = finish
        self._metrics = metrics
        self._group = group
        self._feeds: dict[str, CameraFeed] = {}
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

    def _feed(self, camera: str) -> CameraFeed:
        if camera not in self._feeds:
            feed = CameraFeed(camera, self._finish, self._metrics)
            self._feeds[camera] = feed
            self._tasks[camera] = create_task(self._group, feed.run(self._client))
            self._metrics.watched.set(len(self._feeds))
        return self._feeds[camera]

    def _drop_unwatched(self, feed: CameraFeed) -> None:
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
