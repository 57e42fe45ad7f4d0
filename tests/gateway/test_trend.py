"""Minutes summed up into longer steps, against a plain sum over the same minutes."""

import math
from dataclasses import replace
from typing import Any

import msgpack
import pytest
import redis

from emotion_streams import EMOTIONS, Minute, keys
from emotion_streams.connection import connect_async
from emotion_streams.minutes import MINUTE_MS
from emotion_streams.stream_kinds import MINUTES
from gateway.minute_sums import Sums, add_entry
from gateway.trend import HOUR_MS, Trends
from tests import samples
from tests.gateway.feeder import now_ms, register
from tests.gateway.processes import Gateway
from tests.people import write_minutes
from tests.servers import eventually

DAY_MS = 24 * HOUR_MS
START_MS = 1_700_006_400_000
"""Midnight (UTC)."""


def minute(number: int, **changed: Any) -> Minute:
    """The minute of this number since START_MS; in each seventh people are withheld."""
    found = samples.minute("lobby", START_MS + number * MINUTE_MS)
    people = found.people
    assert people is not None
    people = replace(
        people,
        people_mean=number % 4 / 5,
        faces_mean=number % 3,
        faces_max=number % 5,
        people_max=number % 4,
        tracks=number % 4,
        entered=number % 2,
        face_ms=6_000 * (number % 4),
    )
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
        mean = sum(people.people_mean for people in known) / len(known)
        assert point["people"]["people_mean"] == pytest.approx(mean, abs=1e-3)
        assert point["people"]["faces_max"] == max(people.faces_max for people in known)
        assert point["people"]["people_max"] == max(people.people_max for people in known)
        assert point["people"]["entered"] == sum(people.entered for people in known)
        if any(people.face_ms for people in known):
            assert sum(point["people"]["means"]) == pytest.approx(1, abs=0.01)
        else:
            assert point["people"]["means"] is None
    seen = {each.start_ms // (step * MINUTE_MS) * step * MINUTE_MS for each in minutes}
    assert [point["start_ms"] for point in points] == sorted(seen), "a gap has no point"


async def test_withheld_people_are_unknown_and_not_zero(
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


async def test_hours_of_many_cameras_are_kept_as_long_as_they_are_few(
    client: redis.Redis, redis_url: str
) -> None:
    """The overview asks for one camera after the other: each is found again at the next turn."""
    names = [f"cam{number}" for number in range(50)]
    hours = [replace(minute(60 * number), coverage=1.0) for number in range(6)]
    write_minutes(client, *(replace(each, camera=name) for name in names for each in hours))
    async with connect_async(redis_url) as reader:
        trends = Trends(reader)
        for _ in range(2):
            client.config_resetstat()
            for name in names:
                await trends.points(name, START_MS + HOUR_MS, START_MS + 4 * HOUR_MS, 60)
    calls = client.info("commandstats")["cmdstat_xrange"]["calls"]
    assert calls == len(names), "the oldest entry alone"


async def test_events_that_redis_no_longer_keeps_are_not_shown(
    client: redis.Redis, redis_url: str
) -> None:
    write_minutes(client, *(minute(number) for number in range(150)))
    async with connect_async(redis_url) as reader:
        trends, times = Trends(reader), (START_MS, START_MS + DAY_MS)
        assert len(await trends.points("lobby", *times, 60)) == 3
        client.xtrim(keys.minutes("lobby"), minid=START_MS + HOUR_MS + 1, approximate=False)
        assert len(await trends.points("lobby", *times, 60)) == 2
        client.delete(keys.minutes("lobby"))
        assert await trends.points("lobby", *times, 60) == []


def plain(entries: dict[bytes, bytes]) -> list[Minute | None]:
    """What the client library makes of each entry."""
    return [MINUTES.parse("lobby", at, {b"minute": blob}) for at, blob in entries.items()]


CHANGES: list[dict[str, Any]] = [
    {"schema": 2}, {"camera": "other"}, {"start_ms": START_MS + 1}, {"start_ms": True},
    {"frames": -1}, {"frames_lost": "1"}, {"coverage": 1.5}, {"coverage": math.nan},
    {"coverage": 1}, {"people": 5}, {"people": {}}, {"people": None}, {"later": [1]},
]  # fmt: skip
PEOPLE_CHANGES: list[dict[str, Any]] = [
    {"people_mean": math.inf}, {"faces_mean": math.inf}, {"faces_mean": 1}, {"faces_max": 1.0},
    {"people_max": "1"}, {"entered": -1}, {"face_ms": True}, {"face_ms": 2**63 - 1},
    {"tracks": None}, {"emotion_ms": {}}, {"emotion_ms": None}, {"probabilities_mean": None},
    {"probabilities_mean": {"fear": 1}},
    {"probabilities_mean": dict.fromkeys(EMOTIONS, math.nan)},
    {"probabilities_mean": dict.fromkeys(EMOTIONS, 0)}, {"dwell_ms_p50": -1},
    {"dwell_ms_p50": None}, {"episodes": [1]},
]  # fmt: skip


def of_an_older_worker() -> dict[str, Any]:
    """A minute without the fields that were added later."""
    fields = minute(1).to_dict()
    del fields["people"]["people_max"], fields["people"]["people_mean"]
    return fields


@pytest.mark.parametrize(
    "fields",
    [
        of_an_older_worker(),
        *(minute(1).to_dict() | change for change in CHANGES),
        *(
            minute(1).to_dict() | {"people": minute(1).to_dict()["people"] | change}
            for change in PEOPLE_CHANGES
        ),
        [],
        {},
    ],
    ids=repr,
)
def test_an_entry_counts_exactly_if_the_client_library_accepts_it(fields: Any) -> None:
    at = str(START_MS + MINUTE_MS).encode() + b"-0"
    blob = msgpack.packb(fields)
    sums: dict[int, Sums] = {}
    add_entry(sums, HOUR_MS, "lobby", at, {b"minute": blob})
    (accepted,) = plain({at: blob})
    assert bool(sums) == (accepted is not None)
    if accepted:
        people = accepted.people
        assert sums[START_MS].coverage == accepted.coverage
        assert sums[START_MS].faces_max == (people.faces_max if people else 0)
        assert sums[START_MS].people == (people.people_mean * accepted.coverage if people else 0)
        assert sums[START_MS].people_max == (people.people_max if people else 0)
        means = people and people.probabilities_mean
        assert sums[START_MS].face_ms == (people.face_ms if people and means else 0)


async def test_a_month_is_read_in_few_round_trips(client: redis.Redis, redis_url: str) -> None:
    number = 30 * 1440
    with client.pipeline(transaction=False) as pipe:
        write_minutes(pipe, *(minute(each) for each in range(number)))
        pipe.execute()
    client.config_resetstat()
    (points,) = await trend(redis_url, 180, (START_MS, START_MS + 30 * DAY_MS))
    assert len(points) == 240
    assert client.info("commandstats")["cmdstat_xrange"]["calls"] <= 2 + number / 450


def test_all_cameras_are_summed_up_in_one_answer(gateway: Gateway, store: Any, camera: str) -> None:
    """Also one without any minute."""
    names = [f"{camera}-a", f"{camera}-b", f"{camera}-c"]
    for name in names:
        register(store, name)
    start = now_ms() // MINUTE_MS * MINUTE_MS
    write_minutes(store, *(samples.minute(name, start) for name in names[:2]))
    query = f"from={start - HOUR_MS}&to={start + HOUR_MS}&step=60"
    eventually(lambda: names[2] in gateway.get(f"/api/trends?{query}").json()["cameras"])
    answer = gateway.get(f"/api/trends?{query}").json()
    for name in names:
        alone = gateway.get(f"/api/cameras/{name}/trend?{query}").json()
        assert answer["cameras"][name] == alone["points"]
    assert [len(answer["cameras"][name]) for name in names] == [1, 1, 0]
    refused = gateway.get(f"/api/trends?from=0&to={101 * MINUTE_MS}&step=1")
    assert refused.status_code == 400, "more than 100 steps"


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
