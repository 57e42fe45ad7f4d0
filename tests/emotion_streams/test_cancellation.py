"""Cancellations arrive, although redis-py may lose one."""

import asyncio
import gc

import pytest
import redis

from emotion_streams import keys, subscribe_async
from emotion_streams.cancellation import cancel_and_wait, check_cancelled, create_task
from tests import samples
from tests.servers import PATIENCE_S


async def test_lost_cancellation_is_raised_by_check_cancelled() -> None:
    async def lose_one() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            check_cancelled()

    task = asyncio.create_task(lose_one())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancel_and_wait_repeats_a_cancellation_that_is_lost() -> None:
    async def lose_two() -> None:
        for _ in range(2):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                continue
        await asyncio.sleep(60)

    task = asyncio.create_task(lose_two())
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE_S):
        await cancel_and_wait(task, repeat_s=0.01)
    assert task.cancelled()


async def test_cancel_and_wait_lets_a_clean_up_finish() -> None:
    cleaned_up = []

    async def clean_up_slowly() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.2)
            cleaned_up.append(True)

    task = asyncio.create_task(clean_up_slowly())
    await asyncio.sleep(0)
    await cancel_and_wait(task, repeat_s=10)
    assert cleaned_up == [True]


@pytest.mark.filterwarnings("error")
async def test_cancel_and_wait_drops_errors_and_accepts_tasks_that_have_ended() -> None:
    async def fail() -> None:
        raise ValueError("dropped")

    failed, done = asyncio.create_task(fail()), asyncio.create_task(asyncio.sleep(0))
    await asyncio.wait([failed, done])
    await cancel_and_wait(failed, done)
    await cancel_and_wait()
    gc.collect()


async def test_a_subscription_closed_at_any_moment_ends_at_once(
    client: redis.Redis, redis_url: str
) -> None:
    client.xadd(keys.emotions("lobby"), {"event": samples.event("lobby", "1-0").pack()}, id="1-0")
    for _ in range(30):
        events = subscribe_async(redis_url, "lobby", after="start")
        await anext(events)
        await asyncio.wait_for(events.aclose(), PATIENCE_S)


@pytest.mark.filterwarnings("error")
async def test_group_that_is_ending_leaves_no_coroutine_behind() -> None:
    async def work() -> None:
        raise AssertionError("never started")

    async def fail() -> None:
        raise ValueError("the group ends")

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
    gc.collect()
