"""How busy a worker is by its own account."""

import asyncio
import time

import pytest

from tests.worker.shop import OneFace, stub_shop
from worker.context import Workshop
from worker.inference.decode import UnusablePictureError

WORK_S = 0.05


def busy_s(shop: Workshop) -> float:
    (metric,) = shop.metrics.threads_busy.collect()
    return next(one.value for one in metric.samples if one.name.endswith("_total"))


async def find(shop: Workshop, jpeg: bytes) -> None:
    slot = await shop.slots.take()
    try:
        await shop.find(jpeg, slot)
    finally:
        slot.leave()


def test_threads_are_busy_for_the_share_of_them_that_is_at_work() -> None:
    async def check() -> None:
        with stub_shop(OneFace(before=lambda _: time.sleep(WORK_S)), slots=4) as shop:
            assert busy_s(shop) == 0  # and there from the start
            await find(shop, b"one")
            alone = busy_s(shop)
            assert alone >= WORK_S / 4
            await asyncio.gather(*(find(shop, b"one of four") for _ in range(4)))
            assert busy_s(shop) - alone >= WORK_S

    asyncio.run(check())


def test_a_picture_that_cannot_be_used_keeps_a_thread_busy_too() -> None:
    async def check() -> None:
        with stub_shop(OneFace(before=lambda _: time.sleep(WORK_S)), slots=4) as shop:
            with pytest.raises(UnusablePictureError):
                await find(shop, b"bad")
            assert busy_s(shop) >= WORK_S / 4

    asyncio.run(check())
