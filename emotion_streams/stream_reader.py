"""Read streams of several cameras at once, in a cluster too, through failures of Redis."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Final, Generic, TypeVar

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import ResponseError

from emotion_streams.backoff import is_permanent, is_wrong_type, retry_forever
from emotion_streams.cancellation import create_task
from emotion_streams.connection import Client
from emotion_streams.redaction import short_message
from emotion_streams.registry import registered
from emotion_streams.stream_id import ZERO
from emotion_streams.stream_kinds import StreamKind

NOW: Final = "now"
START: Final = "start"

After = str | Mapping[str, str]

Item = TypeVar("Item")

_BLOCK_MS: Final = 1000
"""How long one read blocks, which bounds the discovery of new cameras. Below the socket timeout."""
_ASIDE_S: Final = 5.0
"""How long a camera is skipped after its key was found to hold another type of value."""
_BATCH: Final = 100
_BUFFER: Final = 1000
"""Maximum items buffered for a slow reader. When the buffer is full, reading pauses; entries that
Redis trims meanwhile are lost."""

_BEGINNING: Final = str(ZERO)

log = logging.getLogger(__name__)


class StreamReader(Generic[Item]):
    """Reads the cameras' streams of one kind into a bounded queue, and keeps its position in each.

    `cameras`: None for all, including cameras that are attached later. `after`: as in `subscribe`.
    """

    def __init__(
        self, client: Client, kind: StreamKind[Item], cameras: list[str] | None, after: After
    ) -> None:
        self.items: asyncio.Queue[Item] = asyncio.Queue(_BUFFER)
        self._client = client
        self._kind = kind
        self._all = cameras is None
        self._named = cameras or []
        self._after = after
        self._last: dict[str, str] = {}
        self._later = _BEGINNING
        self._aside: dict[str, float] = {}
        self._has_read = False
        self._failing = 0

    async def run(self) -> None:
        """Read until cancelled; never returns."""
        await self._persist(self._start)
        # One XREAD reads all streams of a server; in a cluster the streams are on several servers.
        if isinstance(self._client, RedisCluster):
            await self._run_per_camera()
        while True:
            await self._persist(self._discover)
            await self._persist(partial(self._read, *self._last))

    async def _persist(self, step: Callable[[], Awaitable[None]]) -> None:
        """Run the step, and retry it while Redis cannot be reached.

        Permanent errors are raised, unless an earlier read succeeded; then they are retried, too
        (e.g. password rotation).
        """
        fails = False

        def on_failure(error: Exception) -> None:
            nonlocal fails
            if is_permanent(error) and not self._has_read:
                raise error
            if not fails:
                fails = True
                self._failing += 1
                if self._failing == 1:  # one warning for several that fail at once
                    log.warning("Redis cannot be reached; trying again: %s", short_message(error))

        try:
            await retry_forever(step, on_failure)
        finally:
            self._failing -= fails

    async def _run_per_camera(self) -> None:
        async with asyncio.TaskGroup() as group:
            reading: set[str] = set()
            while True:
                await self._persist(self._discover)
                for camera in self._last.keys() - reading:
                    reading.add(camera)
                    create_task(group, self._follow(camera, reading))
                await asyncio.sleep(_BLOCK_MS / 1000)

    async def _follow(self, camera: str, reading: set[str]) -> None:
        while camera in self._last:
            await self._persist(partial(self._read, camera))
        reading.discard(camera)

    async def _start(self) -> None:
        """Set the start position of each known camera, and that of later ones: the start.

        Episodes outlive their camera: if only new ones are wanted, one that returns begins now.
        """
        if self._after == NOW and self._kind.ids_are_redis_time:
            seconds, microseconds = await self._client.time()
            self._later = f"{seconds * 1000 + microseconds // 1000}-0"
        for camera in await self._cameras():
            if camera not in self._last:
                self._last[camera] = await self._beginning(camera)

    async def _discover(self) -> None:
        if not self._all:
            return
        cameras = await self._cameras()
        for camera in cameras:
            self._last.setdefault(camera, self._later)
        for camera in self._last.keys() - set(cameras):
            # Keep the position while the stream has entries; otherwise they would be replayed if
            # the camera returns.
            if await self._newest(camera) is None:
                del self._last[camera]
                self._aside.pop(camera, None)

    async def _cameras(self) -> list[str]:
        if not self._all:
            return self._named
        return list(await registered(self._client))

    async def _beginning(self, camera: str) -> str:
        after = self._after if isinstance(self._after, str) else self._after.get(camera, START)
        if after == START:
            return _BEGINNING
        if after != NOW:
            return after
        return await self._newest(camera) or _BEGINNING

    async def _newest(self, camera: str) -> str | None:
        """Return the id of the camera's newest entry, or None if it has none.

        If the key holds another type of value, the camera is set aside and None returned; the
        error is raised if no named camera is left.
        """
        try:
            newest = await self._client.xrevrange(self._kind.key(camera), count=1)
        except ResponseError as error:
            if not is_wrong_type(error):
                raise
            if camera not in self._aside:
                log.warning("camera %s is left out: %s", camera, short_message(error))
            self._aside[camera] = time.monotonic() + _ASIDE_S
            if not self._all and self._aside.keys() >= set(self._named):
                raise
            return None
        self._aside.pop(camera, None)
        return newest[0][0].decode() if newest else None

    async def _readable(self, cameras: Iterable[str]) -> list[str]:
        """Return the cameras that are not set aside; check again those set aside for _ASIDE_S."""
        for camera in cameras:
            if self._aside.get(camera, float("inf")) <= time.monotonic():
                await self._newest(camera)
        return [camera for camera in cameras if camera not in self._aside]

    async def _read(self, *cameras: str) -> None:
        readable = await self._readable(cameras)
        if not readable:
            await asyncio.sleep(_BLOCK_MS / 1000)
            return
        # A camera may have been removed meanwhile; then its stream is empty.
        streams = {
            self._kind.key(camera): self._last.get(camera, _BEGINNING) for camera in readable
        }
        names = dict(zip(streams, readable, strict=True))
        try:
            reply = await self._client.xread(streams, count=_BATCH, block=_BLOCK_MS)
        except ResponseError as error:
            if not is_wrong_type(error):
                raise
            for camera in readable:  # the error does not say which
                await self._newest(camera)
            return
        self._has_read = True
        for key, entries in reply or []:
            camera = names[key.decode()]
            for entry_id, fields in entries:
                item = self._kind.parse(camera, entry_id, fields)
                if item is not None:
                    await self.items.put(item)
                self._last[camera] = entry_id.decode()
