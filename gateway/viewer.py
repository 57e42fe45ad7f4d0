"""A viewer of pictures, who gets the newest one of each of its cameras."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Picture:
    """A JPEG and the id of its frame, whose event was published before."""

    camera: str
    frame_id: str
    jpeg: bytes


class Feed(Protocol):
    """A camera that is read, and its newest picture."""

    @property
    def camera(self) -> str:
        """Name of the camera."""

    @property
    def newest(self) -> Picture | None:
        """The newest picture, if there was one."""


class Viewer:
    """One viewer of some cameras: wakes when any of them has a newer picture."""

    def __init__(self, feeds: Iterable[Feed]) -> None:
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
