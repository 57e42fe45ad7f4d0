"""Places for frames in the works."""

import asyncio

import pytest

from tests.worker.shop import Indifferent
from worker.inference.permits import MAX_CROWD_FACES, Slot, Slots, enough_in_flight


async def taken_at_once(slots: Slots) -> list[Slot]:
    """As many as can be had without waiting."""
    held = []
    while not slots.taken:
        held.append(await slots.take())
    return held


def test_few_more_frames_than_threads_may_wait_for_one() -> None:
    async def check() -> None:
        assert len(await taken_at_once(Slots(threads=2, in_flight=8))) == 3

    asyncio.run(check())


def test_a_frame_whose_faces_are_found_makes_room_for_another_up_to_all_in_flight() -> None:
    async def check() -> None:
        slots = Slots(threads=1, in_flight=4)
        count = 0
        while held := await taken_at_once(slots):
            count += len(held)
            for slot in held:
                slot.leave_thread()
        assert count == 4

    asyncio.run(check())


def test_a_place_is_given_back_once_however_often_it_is_left() -> None:
    async def check() -> None:
        slots = Slots(threads=1, in_flight=2)
        for slot in await taken_at_once(slots):
            slot.leave_thread()
            slot.leave()
            slot.leave()
        assert len(await taken_at_once(slots)) == 2
        assert slots.taken

    asyncio.run(check())


def test_giving_up_the_wait_for_a_thread_leaves_nothing_taken() -> None:
    async def check() -> None:
        slots = Slots(threads=1, in_flight=8)
        held = await taken_at_once(slots)
        waiting = asyncio.ensure_future(slots.take())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        for slot in held:
            slot.leave()
        for _ in range(8):
            (await slots.take()).leave_thread()
        assert slots.taken

    asyncio.run(check())


def test_places_are_taken_in_turn() -> None:
    async def check() -> None:
        slots = Slots(threads=1, in_flight=2)
        held = await taken_at_once(slots)
        order: list[int] = []

        async def camera(number: int) -> None:
            slot = await slots.take()
            order.append(number)
            slot.leave()

        cameras = [asyncio.ensure_future(camera(number)) for number in range(5)]
        await asyncio.sleep(0)
        for slot in held:
            slot.leave()
        await asyncio.gather(*cameras)
        assert order == [0, 1, 2, 3, 4]

    asyncio.run(check())


@pytest.mark.parametrize(
    ("threads", "lanes", "max_batch", "frames"), [(2, 2, 8, 7), (16, 2, 64, 49), (1, 1, 4, 3)]
)
def test_without_a_setting_as_few_frames_as_keep_the_engine_busy(
    threads: int, lanes: int, max_batch: int, frames: int
) -> None:
    engine = Indifferent()
    engine.lanes, engine.max_batch = lanes, max_batch
    assert enough_in_flight(threads, engine) == frames


def test_a_crowd_that_waits_for_the_engine_leaves_its_place_to_others() -> None:
    async def check() -> None:
        slots = Slots(threads=1, in_flight=1)
        crowd = await slots.take()
        await crowd.wait_for_engine(faces=40)
        assert not slots.taken
        usual = await slots.take()
        await usual.wait_for_engine(faces=3)
        assert slots.taken
        usual.leave()
        crowd.leave()
        assert not slots.held
        assert not slots.taken

    asyncio.run(check())


def test_the_faces_of_crowds_in_flight_are_bounded() -> None:
    async def check() -> None:
        slots = Slots(threads=1, in_flight=2)
        first, second = await slots.take(), await slots.take()
        await first.wait_for_engine(faces=MAX_CROWD_FACES)
        waiting = asyncio.ensure_future(second.wait_for_engine(faces=5))
        await asyncio.sleep(0)
        assert not waiting.done()
        first.leave()
        await asyncio.wait_for(waiting, 5)
        second.leave()

    asyncio.run(check())
