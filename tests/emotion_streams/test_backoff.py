"""Retries with backoff, in tasks and in threads."""

import asyncio
import threading
from collections.abc import Iterator
from itertools import count, islice, repeat

import pytest
import redis

from emotion_streams.backoff import Retries, delays, retry_forever


def test_delays_grow_to_the_cap_and_never_beyond() -> None:
    first = list(islice(delays(first_s=0.1, cap_s=1.0), 10))
    assert 0.05 <= first[0] <= 0.1
    assert all(0.5 <= delay <= 1.0 for delay in first[5:])


async def test_step_is_retried_until_it_succeeds_and_each_failure_is_reported() -> None:
    outcomes: Iterator[Exception | str] = iter(
        [OSError("refused"), redis.TimeoutError("late"), "done"]
    )
    reported: list[str] = []

    async def step() -> str:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert await retry_forever(step, lambda error: reported.append(str(error))) == "done"
    assert reported == ["refused", "late"]


async def test_error_that_is_not_from_redis_is_raised() -> None:
    async def step() -> None:
        raise KeyError("a fault of ours")

    with pytest.raises(KeyError):
        await retry_forever(step)


async def test_cancellation_that_the_step_swallows_ends_the_retries() -> None:
    async def step() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return

    task = asyncio.create_task(retry_forever(step))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_attempts_in_a_thread_end_when_stopped() -> None:
    stop, failures = threading.Event(), list[Exception]()

    def fail_until_stopped(error: Exception) -> None:
        failures.append(error)
        if len(failures) == 3:
            stop.set()

    def run() -> str | None:
        for attempt in Retries(OSError, fail_until_stopped, lambda: repeat(0.001), stop.wait):
            with attempt:
                raise OSError("refused")
        return None

    assert run() is None
    assert len(failures) == 3
    assert run() is None  # stopped already: no further attempt
    assert len(failures) == 3


def test_attempts_end_after_the_first_success() -> None:
    attempts = 0
    for attempt in Retries(OSError, delays=lambda: repeat(0.001), wait=threading.Event().wait):
        with attempt:
            attempts += 1
            if attempts < 3:
                raise OSError("refused")
    assert attempts == 3


def test_failure_handler_may_give_up() -> None:
    def give_up(error: Exception) -> None:
        raise error

    def run() -> None:
        for attempt in Retries(OSError, give_up, wait=threading.Event().wait):
            with attempt:
                raise OSError("refused")

    with pytest.raises(OSError, match="refused"):
        run()


def test_reset_returns_to_the_shortest_delay() -> None:
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return len(waited) == 6

    retries = Retries(OSError, delays=lambda: count(1.0), wait=wait)
    for attempt in retries:
        with attempt:
            raise OSError("refused")
        if len(waited) == 3:
            retries.reset()
    assert waited == [0.0, 1.0, 2.0, 1.0, 2.0, 3.0]
