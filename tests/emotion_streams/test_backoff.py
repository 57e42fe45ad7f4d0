"""Trying again, and ending when told to."""

import asyncio
import gc
from collections.abc import Iterator
from itertools import islice

import pytest
import redis

from emotion_streams import keys, subscribe_async
from emotion_streams.backoff import create_task, delays, retry_forever
from tests import samples


def test_delays_grow_to_the_cap_and_never_beyond() -> None:
    first = list(islice(delays(first_s=0.1, cap_s=1.0), 10))
    assert 0.05 <= first[0] <= 0.1
    assert all(0.5 <= delay <= 1.0 for delay in first[5:])


def test_a_step_is_tried_until_it_succeeds_and_each_failure_is_told() -> None:
    outcomes: Iterator[Exception | str] = iter(
        [OSError("refused"), redis.TimeoutError("late"), "done"]
    )
    told: list[str] = []

    async def step() -> str:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert asyncio.run(retry_forever(step, lambda error: told.append(str(error)))) == "done"
    assert told == ["refused", "late"]


def test_what_redis_has_nothing_to_do_with_is_raised() -> None:
    async def step() -> None:
        raise KeyError("a fault of ours")

    with pytest.raises(KeyError):
        asyncio.run(retry_forever(step))


def test_a_cancellation_that_the_step_swallows_still_ends_it() -> None:
    async def step() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return

    async def check() -> None:
        task = asyncio.create_task(retry_forever(step))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(check())


def test_a_subscription_closed_at_any_moment_ends_at_once(
    client: redis.Redis, redis_url: str
) -> None:
    client.xadd(keys.emotions("lobby"), {"event": samples.event("lobby", "1-0").pack()}, id="1-0")

    async def check() -> None:
        for _ in range(30):
            events = subscribe_async(redis_url, "lobby", after="start")
            await anext(events)
            await asyncio.wait_for(events.aclose(), 5)

    asyncio.run(check())


@pytest.mark.filterwarnings("error")
def test_a_group_that_is_ending_leaves_no_coroutine_behind() -> None:
    async def work() -> None:
        raise AssertionError("never started")

    async def fail() -> None:
        raise ValueError("the group ends")

    async def main() -> None:
        ended_late = False
        with pytest.RaisesGroup(ValueError):
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:  # lost, as redis-py may lose it
                    with pytest.raises(asyncio.CancelledError):
                        create_task(group, work())
                    ended_late = True
                    raise
        assert ended_late

    asyncio.run(main())
    gc.collect()
