"""The time that the page shows times by."""

from typing import Any

from emotion_streams.connection import connect_async
from gateway.history import now_ms
from gateway.redis_clock import RedisClock
from tests.gateway.processes import Gateway

HOUR_MS = 3_600_000


def redis_ms(client: Any) -> int:
    seconds, microseconds = client.time()
    return int(seconds * 1000 + microseconds // 1000)


async def test_the_time_is_that_of_redis_on_a_machine_with_another_clock(
    redis_url: str, client: Any
) -> None:
    async with connect_async(redis_url) as connection:
        clock = RedisClock(connection, own_ms=lambda: now_ms() + HOUR_MS)
        assert clock.now_ms() - redis_ms(client) > HOUR_MS / 2
        before = redis_ms(client)
        await clock.observe()
        between = clock.now_ms()
        assert before - 1000 <= between <= redis_ms(client) + 1000


def test_the_list_of_cameras_has_the_time(gateway: Gateway, store: Any) -> None:
    before = redis_ms(store)
    listed = gateway.get("/api/cameras").json()["now_ms"]
    assert before - 1000 <= listed <= redis_ms(store) + 1000
