"""Iterate over events or episodes of one camera, several, or all: from now, the start, or an id."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Generator, Iterable
from typing import Final, NoReturn, TypeVar

from emotion_streams import blocking, keys, local_instance
from emotion_streams.cancellation import cancel_and_wait
from emotion_streams.connection import connect_async
from emotion_streams.episodes import Episode
from emotion_streams.events import EmotionEvent
from emotion_streams.redis_url import parse_url
from emotion_streams.stream_id import StreamId
from emotion_streams.stream_kinds import EPISODES, EVENTS, StreamKind
from emotion_streams.stream_reader import NOW, START, After, StreamReader

__all__ = [
    "NOW",
    "START",
    "After",
    "Cameras",
    "subscribe",
    "subscribe_async",
    "subscribe_episodes",
    "subscribe_episodes_async",
]

Cameras = str | Iterable[str] | None

Item = TypeVar("Item")

log = logging.getLogger(__name__)

_FAREWELL_S: Final = 0.25


def subscribe_async(
    url: str | None = None, cameras: Cameras = None, after: After = NOW
) -> AsyncGenerator[EmotionEvent, None]:
    """Yield events as they arrive, without end, in id order per camera and each at most once.

    `url`: by default the one in EMOTION_REDIS, else the instance that `emotion-streams run` started
    on this machine, which is logged, else redis://localhost:6379.
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
    return _subscribe(url, EVENTS, cameras, after)


def subscribe(
    url: str | None = None, cameras: Cameras = None, after: After = NOW
) -> Generator[EmotionEvent, None, None]:
    """Yield events as `subscribe_async` does, and block until the next one.

    Works beside a running event loop as well, as in a notebook; it blocks that loop meanwhile.
    """
    return blocking.iterate(subscribe_async(url, cameras, after))


def subscribe_episodes_async(
    url: str | None = None, cameras: Cameras = None, after: After = NOW
) -> AsyncGenerator[Episode, None]:
    """Yield the records of episodes as they are decided, as `subscribe_async` yields events.

    Resume after the `entry_id` of the last record that was dealt with: it takes the place of an
    event's id in `after`. With "now", the records that a camera left before it returned are not
    yielded.
    """
    return _subscribe(url, EPISODES, cameras, after)


def subscribe_episodes(
    url: str | None = None, cameras: Cameras = None, after: After = NOW
) -> Generator[Episode, None, None]:
    """Yield records as `subscribe_episodes_async` does, and block until the next one."""
    return blocking.iterate(subscribe_episodes_async(url, cameras, after))


def _subscribe(
    url: str | None, kind: StreamKind[Item], cameras: Cameras, after: After
) -> AsyncGenerator[Item, None]:
    """Check the arguments at once, not at the first item."""
    url = local_instance.redis_url(log.info) if url is None else url
    parse_url(url)
    named = None if cameras is None else _names(cameras)
    for place in (after,) if isinstance(after, str) else after.values():
        _check_place(place)
    return _items(url, kind, named, after)


async def _items(
    url: str, kind: StreamKind[Item], cameras: list[str] | None, after: After
) -> AsyncGenerator[Item, None]:
    client = connect_async(url)
    reader = StreamReader(client, kind, cameras, after)
    task = asyncio.create_task(reader.run())
    try:
        while True:
            get = asyncio.ensure_future(reader.items.get())
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
        await cancel_and_wait(task)
        await client.aclose()
        if url.startswith("rediss"):
            await asyncio.sleep(_FAREWELL_S)


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
    if place in (NOW, START):
        return
    try:
        # As for Redis, the number may be missing.
        StreamId.parse(place if "-" in place else f"{place}-0")
    except ValueError:
        raise ValueError(
            f"after {place!r}: use {NOW!r}, {START!r}, or an event's id such as 1795346599061-0"
        ) from None
