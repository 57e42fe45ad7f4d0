"""Pages of a camera's stream whose entries' ids are times: episodes and minutes."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from emotion_streams.connection import Client
from emotion_streams.stream_id import ZERO, StreamId
from emotion_streams.stream_kinds import StreamKind
from gateway.queries import RangeQuery

Item = TypeVar("Item")

STEP: Final = 100
"""Entries unpacked at a time: some milliseconds, in which no other client is served."""

_MAX_ENTRIES: Final = 5000
"""Entries read for one page, so that a rare emotion does not cost a whole stream."""


@dataclass(frozen=True)
class Page(Generic[Item]):
    """Items, oldest first, and the id after which the next page begins; None without an entry."""

    items: list[Item]
    next: str | None


async def read_page(
    client: Client,
    kind: StreamKind[Item],
    camera: str,
    query: RangeQuery,
    limit: int,
    wants: Callable[[Item], bool] = lambda _: True,
) -> Page[Item]:
    """Return at most `limit` wanted items: after an id, the first of a range, or the newest.

    Entries that this version cannot read are skipped. Raises redis-py's errors.
    """
    backwards = query.after is None and query.since is None
    last = str(ZERO) if query.after == "start" else query.after
    found: list[Item] = []
    entries = _newest_first if backwards else _oldest_first
    async with aclosing(entries(client, kind.key(camera), query)) as read:
        async for entry_id, fields in read:
            # Going backwards the first is the newest, and what comes after the page comes after it.
            last = last or entry_id.decode() if backwards else entry_id.decode()
            item = kind.parse(camera, entry_id, fields)
            if item is not None and wants(item):
                found.append(item)
            if len(found) == limit:
                break
    return Page(found[::-1] if backwards else found, last)


async def _oldest_first(
    client: Client, key: str, query: RangeQuery
) -> AsyncGenerator[tuple[bytes, dict[bytes, bytes]], None]:
    start = _start(query)
    for _ in range(_MAX_ENTRIES // STEP):
        entries: list[Any] = await client.xrange(key, start, _end(query), count=STEP)
        for entry_id, fields in entries:
            yield entry_id, fields
        if len(entries) < STEP:
            return
        start = f"({entries[-1][0].decode()}"


async def _newest_first(
    client: Client, key: str, query: RangeQuery
) -> AsyncGenerator[tuple[bytes, dict[bytes, bytes]], None]:
    end = _end(query)
    for _ in range(_MAX_ENTRIES // STEP):
        entries: list[Any] = await client.xrevrange(key, end, count=STEP)
        for entry_id, fields in entries:
            yield entry_id, fields
        if len(entries) < STEP:
            return
        end = f"({entries[-1][0].decode()}"


def _start(query: RangeQuery) -> str:
    since = query.since or 0
    if query.after in (None, "start") or StreamId.parse(query.after) < (since, 0):
        return str(since)
    return f"({query.after}"


def _end(query: RangeQuery) -> str:
    return "+" if query.until is None else f"({query.until}-0"
