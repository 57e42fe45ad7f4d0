"""Minutes summed up into longer steps, against a plain sum over the same minutes."""

from dataclasses import replace
from typing import Any

import pytest
import redis

from emotion_streams import Minute, keys
from emotion_streams.connection import connect_async
from emotion_streams.minutes import MINUTE_MS
from gateway.trend import HOUR_MS, Trends
from tests import samples
from tests.gateway.processes import Gateway
from tests.people import write_minutes

DAY_MS = 24 * HOUR_MS
START_MS = 1_700_006_400_000
"""Midnight (UTC)."""


def minute(number: int, **changed: Any) -> Minute:
    """The minute of this number since START_MS; in each seventh people are withheld."""
    found = samples.minute("lobby", START_MS + number * MINUTE_MS)
    people = found.people
    assert people is not None
    people = replace(people, faces_mean=number % 3, faces_max=number % 5, entered=number % 2)
    fields = {"people": None if number % 7 == 0 else people, "coverage": 0.5} | changed
    return replace(found, **fields)


async def trend(url: str, step: int, *times: tuple[int, int]) -> list[list[dict[str, Any]]]:
    """The points of each range, asked for one after the other."""
    async with connect_async(url) as client:
        trends = Trends(client)
        return [await trends.points("lobby", *each, step) for each in times]


@pytest.mark.parametrize("step", [5, 60, 180])
async def test_a_point_weighs_its_minutes_by_the_time_that_was_seen(
    client: redis.Redis, redis_url: str, step: int
) -> None:
    minutes = [minute(number) for number in range(400) if not 100 < number < 200]
    write_minutes(client, *minutes)
    (points,) = await trend(redis_url, step, (START_MS, START_MS + DAY_MS))
    for point in points:
        own = [
            each for each in minutes if 0 <= each.start_ms - point["start_ms"] < step * MINUTE_MS
        ]
        known = [each.people for each in own if each.people]
        assert point["coverage"] == pytest.approx(
            sum(each.coverage for each in own) / step, abs=1e-3
        )
        mean = sum(people.faces_mean for people in known) / len(known)
        assert point["people"]["faces_mean"] == pytest.approx(mean, abs=1e-3)
        assert point["people"]["faces_max"] == max(people.faces_max for people in known)
        assert point["people"]["entered"] == sum(people.entered for people in known)
        assert sum(point["people"]["means"]) == pytest.approx(1, abs=0.01)
    seen = {each.start_ms // (step * MINUTE_MS) * step * MINUTE_MS for each in minutes}
    assert [point["start_ms"] for point in points] == sorted(seen), "a gap has no point"


async def test_people_who_are_withheld_are_unknown_not_none(
    client: redis.Redis, redis_url: str
) -> None:
    write_minutes(client, minute(0), minute(7))
    (points,) = await trend(redis_url, 60, (START_MS, START_MS + HOUR_MS))
    assert points == [{"start_ms": START_MS, "coverage": round(1 / 60, 3), "people": None}]


async def test_past_hours_are_read_once_and_the_newest_again(
    client: redis.Redis, redis_url: str
) -> None:
    write_minutes(client, *(minute(number, coverage=1.0) for number in range(150)))
    async with connect_async(redis_url) as reader:
        trends = Trends(reader)
        first = await trends.points("lobby", START_MS, START_MS + DAY_MS, 60)
        write_minutes(client, minute(150, coverage=1.0))
        before = client.info("commandstats")["cmdstat_xrange"]["calls"]
        second = await trends.points("lobby", START_MS, START_MS + DAY_MS, 60)
        calls = client.info("commandstats")["cmdstat_xrange"]["calls"] - before
    assert [point["coverage"] for point in first] == [1, 1, 0.5]
    assert [point["coverage"] for point in second] == [1, 1, round(31 / 60, 3)]
    assert calls == 3, "the oldest entry, the oldest hour (it may be trimmed), and the newest hours"


async def test_what_redis_no_longer_keeps_is_not_shown(client: redis.Redis, redis_url: str) -> None:
    write_minutes(client, *(minute(number) for number in range(150)))
    async with connect_async(redis_url) as reader:
        trends, times = Trends(reader), (START_MS, START_MS + DAY_MS)
        assert len(await trends.points("lobby", *times, 60)) == 3
        client.xtrim(keys.minutes("lobby"), minid=START_MS + HOUR_MS + 1, approximate=False)
        assert len(await trends.points("lobby", *times, 60)) == 2
        client.delete(keys.minutes("lobby"))
        assert await trends.points("lobby", *times, 60) == []


@pytest.mark.parametrize(
    "query", ["", "from=5&to=5", "from=0&to=9000000000&step=1", "from=0&to=60000&step=0"]
)
def test_a_range_that_is_empty_or_too_long_is_refused(
    gateway: Gateway, client: redis.Redis, store: Any, camera: str, query: str
) -> None:
    write_minutes(store, samples.minute(camera))
    answer = gateway.get(f"/api/cameras/{camera}/trend?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]
