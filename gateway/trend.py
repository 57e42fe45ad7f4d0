"""A camera's minutes in longer steps: what the page draws hours and days from."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from emotion_streams import EMOTIONS, Minute
from emotion_streams.connection import Client
from emotion_streams.minutes import MINUTE_MS
from emotion_streams.stream_kinds import MINUTES

HOUR_MS: Final = 60 * MINUTE_MS
_PAGE: Final = 250
"""Minutes unpacked at a time: some milliseconds, in which no other client is served."""
_MAX_CAMERAS: Final = 32
"""Cameras whose hours are kept: about 0.5 MB each for 30 days."""


def _zeros() -> list[float]:
    return [0.0] * len(EMOTIONS)


@dataclass
class Sums:
    """Sums over minutes; lists follow EMOTIONS, times are in milliseconds.

    `coverage`: in minutes. `people_coverage`: of that, in minutes whose people are known.
    """

    coverage: float = 0
    people_coverage: float = 0
    faces: float = 0
    faces_max: int = 0
    entered: int = 0
    face_ms: int = 0
    weighted: list[float] = field(default_factory=_zeros)
    emotion_ms: list[float] = field(default_factory=_zeros)

    def add(self, minute: Minute) -> None:
        """Count a minute in."""
        self.coverage += minute.coverage
        people = minute.people
        if people is None:
            return
        means = people.probabilities_mean
        self.merge(
            Sums(
                people_coverage=minute.coverage,
                faces=people.faces_mean * minute.coverage,
                faces_max=people.faces_max,
                entered=people.entered,
                face_ms=people.face_ms if means else 0,
                weighted=[means[name] * people.face_ms for name in EMOTIONS] if means else _zeros(),
                emotion_ms=[people.emotion_ms[name] for name in EMOTIONS],
            )
        )

    def merge(self, other: "Sums") -> None:
        """Add the sums of other minutes."""
        self.coverage += other.coverage
        self.people_coverage += other.people_coverage
        self.faces += other.faces
        self.faces_max = max(self.faces_max, other.faces_max)
        self.entered += other.entered
        self.face_ms += other.face_ms
        for total, values in (
            (self.weighted, other.weighted),
            (self.emotion_ms, other.emotion_ms),
        ):
            for index, value in enumerate(values):
                total[index] += value

    def to_dict(self, start_ms: int, minutes: int) -> dict[str, Any]:
        """Return the point that begins at `start_ms`, as the API shows it."""
        people = {
            "faces_mean": round(self.faces / self.people_coverage, 3),
            "faces_max": self.faces_max,
            "entered": self.entered,
            "emotion_ms": [round(value) for value in self.emotion_ms],
            "means": [round(value / self.face_ms, 3) for value in self.weighted]
            if self.face_ms
            else None,
        } if self.people_coverage else None  # fmt: skip
        coverage = round(min(1.0, self.coverage / minutes), 3)
        return {"start_ms": start_ms, "coverage": coverage, "people": people}


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
        while len(self._hours) > _MAX_CAMERAS:
            self._hours.popitem(last=False)

    async def _edge(self, camera: str, newest: bool) -> int | None:
        read = self._client.xrevrange if newest else self._client.xrange
        entries: list[Any] = await read(MINUTES.key(camera), count=1)
        return int(entries[0][0].partition(b"-")[0]) if entries else None

    async def _sum(self, camera: str, start: int, end: int, step_ms: int) -> dict[int, Sums]:
        sums: dict[int, Sums] = {}
        first, last = str(start), f"({end}-0"
        while True:
            entries: list[Any] = await self._client.xrange(
                MINUTES.key(camera), first, last, count=_PAGE
            )
            for entry_id, fields in entries:
                if (minute := MINUTES.parse(camera, entry_id, fields)) is not None:
                    at = minute.start_ms // step_ms * step_ms
                    sums.setdefault(at, Sums()).add(minute)
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
