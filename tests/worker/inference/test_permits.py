"""Permits of frames in flight, and crowds."""

import asyncio

import pytest

from tests.servers import PATIENCE_S
from tests.worker.stubs import Indifferent
from worker.inference.permits import MAX_CROWD_FACES, InFlightLimiter, Permit, default_in_flight


async def taken_at_once(limiter: InFlightLimiter) -> list[Permit]:
    """All permits that are free, without waiting."""
    held = []
    while not limiter.exhausted:
        held.append(await limiter.acquire())
    return held


async def test_few_more_frames_than_threads_may_wait_for_one() -> None:
    assert len(await taken_at_once(InFlightLimiter(threads=2, in_flight=8))) == 3


async def test_a_frame_whose_faces_are_found_makes_room_for_another_up_to_all_in_flight() -> None:
    limiter = InFlightLimiter(threads=1, in_flight=4)
    count = 0
    while held := await taken_at_once(limiter):
        count += len(held)
        for permit in held:
            permit.release_thread()
    assert count == 4


async def test_a_permit_is_released_once() -> None:
    limiter = InFlightLimiter(threads=1, in_flight=2)
    for permit in await taken_at_once(limiter):
        permit.release_thread()
        permit.release()
        permit.release()
    assert len(await taken_at_once(limiter)) == 2
    assert limiter.exhausted


async def test_giving_up_the_wait_for_a_thread_leaves_nothing_taken() -> None:
    limiter = InFlightLimiter(threads=1, in_flight=8)
    held = await taken_at_once(limiter)
    waiting = asyncio.ensure_future(limiter.acquire())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    for permit in held:
        permit.release()
    for _ in range(8):
        (await limiter.acquire()).release_thread()
    assert limiter.exhausted


async def test_places_are_taken_in_turn() -> None:
    limiter = InFlightLimiter(threads=1, in_flight=2)
    held = await taken_at_once(limiter)
    order: list[int] = []

    async def camera(number: int) -> None:
        permit = await limiter.acquire()
        order.append(number)
        permit.release()

    cameras = [asyncio.ensure_future(camera(number)) for number in range(5)]
    await asyncio.sleep(0)
    for permit in held:
        permit.release()
    await asyncio.gather(*cameras)
    assert order == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("threads", "instances", "max_batch", "frames"), [(2, 2, 8, 7), (16, 2, 64, 49), (1, 1, 4, 3)]
)
def test_without_a_setting_as_few_frames_as_keep_the_engine_busy(
    threads: int, instances: int, max_batch: int, frames: int
) -> None:
    engine = Indifferent()
    engine.instances, engine.max_batch = instances, max_batch
    assert default_in_flight(threads, engine) == frames


async def test_a_crowd_that_waits_for_the_engine_leaves_its_place_to_others() -> None:
    limiter = InFlightLimiter(threads=1, in_flight=1)
    crowd = await limiter.acquire()
    await crowd.wait_for_engine(faces=40)
    assert not limiter.exhausted
    usual = await limiter.acquire()
    await usual.wait_for_engine(faces=3)
    assert limiter.exhausted
    usual.release()
    crowd.release()
    assert not limiter.active
    assert not limiter.exhausted


async def test_the_faces_of_crowds_in_flight_are_bounded() -> None:
    limiter = InFlightLimiter(threads=1, in_flight=2)
    first, second = await limiter.acquire(), await limiter.acquire()
    await first.wait_for_engine(faces=MAX_CROWD_FACES)
    waiting = asyncio.ensure_future(second.wait_for_engine(faces=5))
    await asyncio.sleep(0)
    assert not waiting.done()
    first.release()
    await asyncio.wait_for(waiting, PATIENCE_S)
    second.release()
