"""How busy a worker is by its own account."""

import asyncio
import time

import pytest

from tests import samples
from tests.worker.stubs import OneFace, stub_context
from worker.context import WorkerContext
from worker.inference.decode import UnusablePictureError
from worker.inference.permits import CrowdLimiter
from worker.tracking import Policy
from worker.tracking.camera_tracker import CameraTracker

WORK_S = 0.05


def busy_s(context: WorkerContext) -> float:
    (metric,) = context.metrics.inference.threads_busy.collect()
    return next(one.value for one in metric.samples if one.name.endswith("_total"))


async def analyse(context: WorkerContext, jpeg: bytes) -> None:
    permit = await context.limiter.acquire()
    turn = CameraTracker("lobby", Policy()).turn()
    batching = asyncio.create_task(context.pipeline.run())
    try:
        await context.pipeline.analyse(
            "lobby", "1-0", samples.frame(jpeg=jpeg), permit, CrowdLimiter(), turn
        )
    finally:
        permit.release()
        batching.cancel()


async def test_threads_are_busy_for_the_share_of_them_that_is_at_work() -> None:
    with stub_context(OneFace(before=lambda _: time.sleep(WORK_S)), in_flight=4) as context:
        assert busy_s(context) == 0  # and there from the start
        await analyse(context, b"one")
        alone = busy_s(context)
        assert alone >= WORK_S / 4
        await asyncio.gather(*(analyse(context, b"one of four") for _ in range(4)))
        assert busy_s(context) - alone >= WORK_S


async def test_a_picture_that_cannot_be_used_keeps_a_thread_busy_too() -> None:
    with stub_context(OneFace(before=lambda _: time.sleep(WORK_S)), in_flight=4) as context:
        with pytest.raises(UnusablePictureError):
            await analyse(context, b"bad")
        assert busy_s(context) >= WORK_S / 4
