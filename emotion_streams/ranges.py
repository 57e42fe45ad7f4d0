"""Read the minutes and the episodes of a camera that Redis keeps, between two times."""

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from datetime import datetime
from typing import Final, TypeVar

from emotion_streams import blocking, keys
from emotion_streams.connection import Client, connect_async
from emotion_streams.episodes import Episode
from emotion_streams.fields import YEAR_2200_MS
from emotion_streams.minutes import Minute
from emotion_streams.redis_url import parse_url
from emotion_streams.stream_id import StreamId, range_end
from emotion_streams.stream_kinds import EPISODES, MINUTES, StreamKind

Time = datetime | int | None
"""A time with its zone, or Unix milliseconds; None for no limit."""

Item = TypeVar("Item")

_PAGE: Final = 200
"""Entries per call: some milliseconds of a server's and of a reader's time."""


def read_minutes_async(
    url: str, camera: str, start: Time = None, end: Time = None
) -> AsyncGenerator[Minute, None]:
    """Yield the minutes that began from `start` on and before `end`, oldest first.

    A minute without any frame has no record. Memory holds a page of 200 minutes at a time. The call
    raises InvalidRedisUrlError, and ValueError for an invalid camera name or time; the iteration
    raises redis-py's errors.
    """
    return _read_url(url, MINUTES, camera, start, end)


def read_minutes(
    url: str, camera: str, start: Time = None, end: Time = None
) -> Generator[Minute, None, None]:
    """Yield minutes as `read_minutes_async` does; also works beside a running event loop."""
    return blocking.iterate(read_minutes_async(url, camera, start, end))


def read_episodes_async(
    url: str, camera: str, start: Time = None, end: Time = None
) -> AsyncGenerator[Episode, None]:
    """Yield the records of episodes that were written from `start` on and before `end`.

    That is by Redis' clock, a moment after the frame that decided the record (`decided_ms`). An
    episode that began earlier may end in the range. Otherwise as `read_minutes_async`.
    """
    return _read_url(url, EPISODES, camera, start, end)


def read_episodes(
    url: str, camera: str, start: Time = None, end: Time = None
) -> Generator[Episode, None, None]:
    """Yield records as `read_episodes_async` does; also works beside a running event loop."""
    return blocking.iterate(read_episodes_async(url, camera, start, end))


def read_range(
    client: Client, kind: StreamKind[Item], camera: str, start: Time = None, end: Time = None
) -> AsyncGenerator[Item, None]:
    """Yield the items of a camera's stream whose entries' ids are in the range of times.

    Raises ValueError at once for an invalid camera name or time.
    """
    key = kind.key(keys.check_camera(camera))
    first = "-" if start is None else str(_milliseconds(start))
    last = range_end(None if end is None else StreamId(_milliseconds(end), 0))
    return _pages(client, kind, camera, key, first, last)


async def _pages(
    client: Client, kind: StreamKind[Item], camera: str, key: str, first: str, last: str
) -> AsyncGenerator[Item, None]:
    while True:
        entries = await client.xrange(key, first, last, count=_PAGE)
        for entry_id, fields in entries:
            if (item := kind.parse(camera, entry_id, fields)) is not None:
                yield item
        if len(entries) < _PAGE:
            return
        first = f"({entries[-1][0].decode()}"


def _read_url(
    url: str, kind: StreamKind[Item], camera: str, start: Time, end: Time
) -> AsyncGenerator[Item, None]:
    parse_url(url)
    client = connect_async(url)
    return _closing(client, read_range(client, kind, camera, start, end))


async def _closing(client: Client, items: AsyncGenerator[Item, None]) -> AsyncGenerator[Item, None]:
    async with client, aclosing(items):
        async for item in items:
            yield item


def _milliseconds(time: datetime | int) -> int:
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise ValueError(f"time {time}: has no zone; use datetime.now(UTC) or astimezone()")
        time = int(time.timestamp() * 1000)
    if not 0 <= time <= YEAR_2200_MS:
        raise ValueError(f"time {time}: use Unix milliseconds, from 1970 to 2200")
    return time
