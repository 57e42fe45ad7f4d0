"""Iterate over emotion events of one camera, several, or all: from now, the start, or an id."""

import asyncio
import atexit
import logging
import re
import threading
import time
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Mapping,
)
from contextlib import suppress
from functools import partial
from typing import Final, NoReturn

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import ResponseError

from emotion_streams import keys
from emotion_streams.backoff import create_task, is_permanent, is_wrong_type, retry_forever
from emotion_streams.cameras import registered
from emotion_streams.connection import Client, connect_async
from emotion_streams.events import EmotionEvent
from emotion_streams.redaction import short_message
from emotion_streams.redis_url import parse_url

NOW: Final = "now"
START: Final = "start"

_BLOCK_MS: Final = 1000
"""How long one read blocks, which bounds the discovery of new cameras. Below the socket timeout."""
_FAREWELL_S: Final = 0.25
_ASIDE_S: Final = 5.0
"""How long a camera is skipped after its key was found to hold another type of value."""
_BATCH: Final = 100
_BUFFER: Final = 1000
"""Maximum events buffered for a slow reader. When the buffer is full, reading pauses; events that
Redis trims meanwhile are lost."""

_ID: Final = re.compile(r"[0-9]{1,19}(-[0-9]{1,19})?")

log = logging.getLogger(__name__)

Cameras = str | Iterable[str] | None
After = str | Mapping[str, str]


def subscribe_async(
    url: str, cameras: Cameras = None, after: After = NOW
) -> AsyncGenerator[EmotionEvent, None]:
    """Yield events as they arrive, without end, in id order per camera and each at most once.

    `cameras`: a name, several, or None for all, including cameras that are attached later. `after`:
    "now" (the time when the first event is requested), "start", the id of the last event seen
    (later events follow), or a mapping from camera to any of these ("start" for cameras that it
    does not name). Close the generator (contextlib.aclosing) to end it at once.

    The subscription keeps its position through a restart of Redis and reconnects for as long as
    necessary; it logs one warning when it begins to wait.

    A camera whose key holds another type of value is skipped until the key is repaired, and a
    warning names it. If this applies to all named cameras, Redis' error is raised.

    The call itself raises InvalidRedisUrlError, and ValueError for an invalid camera name or
    `after`. The iteration raises redis-py's errors if Redis refuses the first read (wrong password,
    missing right).
    """
    parse_url(url)
    named = None if cameras is None else _names(cameras)
    for place in (after,) if isinstance(after, str) else after.values():
        _check_place(place)
    return _subscribe(url, named, after)


async def _subscribe(
    url: str, cameras: list[str] | None, after: After
) -> AsyncGenerator[EmotionEvent, None]:
    client = connect_async(url)
    reader = _Reader(client, cameras, after)
    task = asyncio.create_task(reader.run())
    try:
        while True:
            get = asyncio.ensure_future(reader.events.get())
            try:
                await asyncio.wait((get, task), return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                get.cancel()  # else it outlives the subscription and logs an error
                raise
            if not get.done():
                get.cancel()
                _raise_first(task)
            yield get.result()
    finally:
        # More than once: a cancellation that meets a reply is lost in redis-py (seen with 8.1.0).
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=0.1)
        await asyncio.gather(task, return_exceptions=True)
        await client.aclose()
        if url.startswith("rediss"):
            await asyncio.sleep(_FAREWELL_S)


def subscribe(
    url: str, cameras: Cameras = None, after: After = NOW
) -> Generator[EmotionEvent, None, None]:
    """Yield events as `subscribe_async` does, and block until the next one.

    Works beside a running event loop as well, as in a notebook; it blocks that loop meanwhile.
    """
    return _blocking(subscribe_async(url, cameras, after))


def _blocking(
    events: AsyncGenerator[EmotionEvent, None],
) -> Generator[EmotionEvent, None, None]:
    background = _Background(events)
    try:
        while True:
            yield background.next_event()
    finally:
        background.close()


class _Background:
    """Reads `events` in a separate event loop, in a separate thread.

    The caller's thread may already run a loop. The reader is closed at program exit, because
    nothing can be awaited any more when Python finalises objects that were not closed.
    """

    def __init__(self, events: AsyncGenerator[EmotionEvent, None]) -> None:
        self._events = events
        self._loop = asyncio.new_event_loop()
        self._reading: asyncio.Task[EmotionEvent] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._serve, name="subscribe", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def next_event(self) -> EmotionEvent:
        """Return the next event; block until it arrives."""
        return asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()

    def close(self) -> None:
        """Stop the thread, and a read that an interrupted `next_event` left running."""
        atexit.unregister(self.close)
        if self._loop.is_closed():
            return
        with suppress(RuntimeError):  # it was closed meanwhile
            self._loop.call_soon_threadsafe(self._start_closing)
        # The garbage collector may call this in any thread; this thread cannot join itself.
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _serve(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    async def _next(self) -> EmotionEvent:
        self._reading = asyncio.ensure_future(anext(self._events))
        return await self._reading

    def _start_closing(self) -> None:
        if self._closing is None:
            self._closing = self._loop.create_task(self._close())

    async def _close(self) -> None:
        try:
            if self._reading is not None:
                self._reading.cancel()
                await asyncio.gather(self._reading, return_exceptions=True)
            await self._events.aclose()
        finally:
            self._loop.stop()


def _raise_first(task: "asyncio.Task[None]") -> NoReturn:
    """Raise the exception that ended a task; for an exception group, the first one in it."""
    error = task.exception()
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert error is not None
    raise error


def _names(cameras: str | Iterable[str]) -> list[str]:
    named = [cameras] if isinstance(cameras, str) else list(cameras)
    return [keys.check_camera(camera) for camera in named]


def _check_place(place: str) -> None:
    if place not in (NOW, START) and not _ID.fullmatch(place):
        raise ValueError(
            f"after {place!r}: use {NOW!r}, {START!r}, or an event's id such as 1795346599061-0"
        )


class _Reader:
    """Reads the cameras' streams into a bounded queue, and keeps its position in each."""

    def __init__(self, client: Client, cameras: list[str] | None, after: After) -> None:
        self.events: asyncio.Queue[EmotionEvent] = asyncio.Queue(_BUFFER)
        self._client = client
        self._all = cameras is None
        self._named = cameras or []
        self._after = after
        self._last: dict[str, str] = {}
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
        """Set the start position of each known camera; later cameras begin at the start."""
        for camera in await self._cameras():
            if camera not in self._last:
                self._last[camera] = await self._beginning(camera)

    async def _discover(self) -> None:
        if not self._all:
            return
        cameras = await self._cameras()
        for camera in cameras:
            self._last.setdefault(camera, "0-0")
        for camera in self._last.keys() - set(cameras):
            # Keep the position while the stream has events; otherwise they would be replayed if the
            # camera returns.
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
            return "0-0"
        if after != NOW:
            return after
        return await self._newest(camera) or "0-0"

    async def _newest(self, camera: str) -> str | None:
        """Return the id of the camera's newest event, or None if it has none.

        If the key holds another type of value, the camera is set aside and None returned; the
        error is raised if no named camera is left.
        """
        try:
            newest = await self._client.xrevrange(keys.emotions(camera), count=1)
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
        streams = {keys.emotions(camera): self._last.get(camera, "0-0") for camera in readable}
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
                event = EmotionEvent.from_stream_entry(camera, entry_id, fields)
                if event is not None:
                    await self.events.put(event)
                self._last[camera] = entry_id.decode()
