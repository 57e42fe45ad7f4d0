"""Pages of a camera's stream whose entries' ids are times: episodes and minutes."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from emotion_streams.connection import Client
from emotion_streams.stream_id import ZERO, StreamId, range_end
from emotion_streams.stream_kinds import StreamKind
from gateway.queries import RangeQuery

Item = TypeVar("Item")

STEP: Final = 100
"""Entries unpacked at a time: some milliseconds, in which no other client is served."""

_MAX_ENTRIES: Final = 5000
"""Entries read for one page, so that a rare emotion does not cost a whole stream."""


@dataclass(frozen=True)
class Page(Generic[Item]):
    """Items, oldest first, and where other pages are.

    `next`: the id after which the next page begins; None without an entry. `previous`: the id
    before which the previous page ends; None if Redis keeps nothing before this page.
    """

    items: list[Item]
    next: str | None
    previous: str | None


async def read_page(
    client: Client,
    kind: StreamKind[Item],
    camera: str,
    query: RangeQuery,
    limit: int,
    wants: Callable[[Item], bool] = lambda _: True,
    compact_by: Callable[[Item], str] | None = None,
) -> Page[Item]:
    """Return at most `limit` wanted items: after an id, the first of a range, or the newest.

    With `compact_by` only the last item of each of its values is in the page. Entries that this
    version cannot read are skipped. Raises redis-py's errors.
    """
    backwards = query.after is None and query.since is None
    found: dict[str, Item] = {}
    first = last = None
    count = 0
    entries = _newest_first if backwards else _oldest_first
    async with aclosing(entries(client, kind.key(camera), query)) as read:
        async for entry_id, fields in read:
            last = entry_id.decode()
            first = first or last
            count += 1
            item = kind.parse(camera, entry_id, fields)
            if item is not None and wants(item):
                _put(found, compact_by(item) if compact_by else last, item, backwards)
            if len(found) == limit:
                break
    is_whole = len(found) < limit and count < _MAX_ENTRIES
    items = list(found.values())
    if backwards:
        return Page(items[::-1], first, None if is_whole else last)
    start = str(ZERO) if query.after == "start" else query.after
    return Page(items, last or start, None if query.after == "start" else first)


def _put(found: dict[str, Item], key: str, item: Item, newest_first: bool) -> None:
    """Keep the newest item of the key, in the place of when it was read."""
    if newest_first and key in found:
        return
    found.pop(key, None)
    found[key] = item


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
    bounds = [] if query.before is None else [StreamId.parse(query.before)]
    if query.until is not None:
        bounds.append(StreamId(query.until, 0))
    return range_end(min(bounds, default=None))
