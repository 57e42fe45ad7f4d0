"""A camera's minutes in longer steps: what the page draws hours and days from."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final

from emotion_streams.connection import Client
from emotion_streams.minutes import MINUTE_MS
from emotion_streams.stream_id import StreamId
from emotion_streams.stream_kinds import MINUTES
from gateway.minute_sums import Sums, add_entry

HOUR_MS: Final = 60 * MINUTE_MS
_PAGE: Final = 500
"""Minutes read at a time: some milliseconds, in which no other client is served."""
_MAX_HOURS: Final = 32 * 30 * 24
"""Hours kept over all cameras, those asked for last: 30 days of 32 cameras, about 16 MB."""


class Trends:
    """Sums a camera's minutes, and keeps the sums of past hours, which no longer change.

    Minutes are written in the order of their times, so an hour is past as soon as a later one has a
    minute. Hours that Redis no longer keeps are not shown.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._hours: OrderedDict[str, dict[int, Sums]] = OrderedDict()

    async def points(
        self, camera: str, since_ms: int, until_ms: int, step: int
    ) -> list[dict[str, Any]]:
        """Return a point per step of `step` minutes in which anything was seen, oldest first.

        Steps begin at multiples of their length since 1970. Raises redis-py's errors.
        """
        step_ms = step * MINUTE_MS
        start, end = since_ms // step_ms * step_ms, -(-until_ms // step_ms) * step_ms
        if step_ms % HOUR_MS:
            sums = await self._sum(camera, start, end, step_ms)
        else:
            sums = _coarser(await self._sum_hours(camera, start, end), step_ms)
        return [sums[at].to_dict(at, step) for at in sorted(sums)]

    async def _sum_hours(self, camera: str, start: int, end: int) -> dict[int, Sums]:
        oldest = await self._edge(camera, newest=False)
        newest = await self._edge(camera, newest=True)
        if oldest is None or newest is None:
            self._hours.pop(camera, None)
            return {}
        # Of the oldest hour Redis may keep a part only.
        kept = {at: sums for at, sums in self._hours.get(camera, {}).items() if at > oldest}
        wanted = range(max(start, oldest // HOUR_MS * HOUR_MS), min(end, newest + 1), HOUR_MS)
        for first, stop in _runs([at for at in wanted if at not in kept]):
            found = await self._sum(camera, first, stop, HOUR_MS)
            kept |= {at: found.get(at, Sums()) for at in range(first, stop, HOUR_MS)}
        self._keep(camera, {at: sums for at, sums in kept.items() if at + HOUR_MS <= newest})
        return {at: kept[at] for at in wanted if kept[at].coverage}

    def _keep(self, camera: str, hours: dict[int, Sums]) -> None:
        self._hours[camera] = hours
        self._hours.move_to_end(camera)
        count = sum(map(len, self._hours.values()))
        while count > _MAX_HOURS:
            count -= len(self._hours.popitem(last=False)[1])

    async def _edge(self, camera: str, newest: bool) -> int | None:
        read = self._client.xrevrange if newest else self._client.xrange
        entries: list[Any] = await read(MINUTES.key(camera), count=1)
        return StreamId.parse(entries[0][0].decode()).ms if entries else None

    async def _sum(self, camera: str, start: int, end: int, step_ms: int) -> dict[int, Sums]:
        sums: dict[int, Sums] = {}
        first, last = str(start), f"({end}-0"
        while True:
            entries: list[Any] = await self._client.xrange(
                MINUTES.key(camera), first, last, count=_PAGE
            )
            for entry_id, fields in entries:
                add_entry(sums, step_ms, camera, entry_id, fields)
            if len(entries) < _PAGE:
                return sums
            first = f"({entries[-1][0].decode()}"


def _coarser(hours: dict[int, Sums], step_ms: int) -> dict[int, Sums]:
    sums: dict[int, Sums] = {}
    for at, hour in hours.items():
        sums.setdefault(at // step_ms * step_ms, Sums()).merge(hour)
    return sums


def _runs(hours: list[int]) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of hours that follow each other."""
    first = 0
    for index, at in enumerate(hours):
        if index + 1 == len(hours) or hours[index + 1] != at + HOUR_MS:
            yield hours[first], at + HOUR_MS
            first = index + 1
