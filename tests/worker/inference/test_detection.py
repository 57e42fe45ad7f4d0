"""Detection in batches across cameras, with a detector of the test's own."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import samples
from tests.worker.stubs import Brightest, OneFace, stub_context, until
from worker.context import WorkerContext
from worker.inference.decode import UnusablePictureError
from worker.inference.permits import CrowdLimiter
from worker.inference.pipeline import AnalysedFrame
from worker.tracking import Policy
from worker.tracking.camera_tracker import CameraTracker


def grey(value: int, width: int = 640) -> bytes:
    return samples.jpeg(width, 480, value)


async def analyse(
    context: WorkerContext, jpeg: bytes, camera: str = "lobby", position_ms: int | None = None
) -> AnalysedFrame:
    permit = await context.limiter.acquire()
    turn = CameraTracker(camera, Policy()).turn()
    try:
        return await context.pipeline.analyse(
            camera,
            "1-0",
            samples.frame(jpeg=jpeg, position_ms=position_ms),
            permit,
            CrowdLimiter(),
            turn,
        )
    finally:
        permit.release()


@asynccontextmanager
async def running(detector: Brightest) -> AsyncIterator[WorkerContext]:
    with stub_context(detector=detector, in_flight=8, threads=2) as context:
        task = asyncio.create_task(context.pipeline.run())
        try:
            yield context
        finally:
            task.cancel()


def widths(frame: AnalysedFrame) -> list[float]:
    return [face.box.width for face in frame.faces.detections]


async def test_pictures_of_several_cameras_and_sizes_share_a_batch_and_keep_their_faces() -> None:
    detector = Brightest()
    detector.gate.clear()
    async with running(detector) as context:
        (runner,) = context.pipeline.runners[1:]
        tasks = [
            asyncio.create_task(analyse(context, grey(10 * n, 160 * n), f"camera{n}"))
            for n in range(1, 9)
        ]
        await until(lambda: runner.waiting + sum(len(b.frames) for b in runner.running) == 8)
        detector.gate.set()
        frames = await asyncio.gather(*tasks)
        assert [widths(frame) for frame in frames] == [[10 * n] for n in range(1, 9)]
        assert [frame.faces.width for frame in frames] == [160 * n for n in range(1, 9)]
        assert all(frame.faces.crops.shape == (1, 64, 64, 3) for frame in frames)
    # One went at once, one batch was queued behind it, and the others waited for a place.
    assert 2 <= len(detector.batches) <= 4
    assert sorted(itertools.chain(*detector.batches)) == [10 * n for n in range(1, 9)]


async def test_a_picture_that_waits_for_its_batch_holds_no_thread() -> None:
    detector = Brightest()
    detector.gate.clear()
    async with running(detector) as context:
        # More than there are threads: all are decoded before the first is detected.
        tasks = [asyncio.create_task(analyse(context, grey(10 * n), f"{n}")) for n in range(8)]
        (runner,) = context.pipeline.runners[1:]
        await until(lambda: runner.waiting + sum(len(b.frames) for b in runner.running) == 8)
        assert not any(permit.in_thread for permit in context.limiter.active)
        detector.gate.set()
        await asyncio.gather(*tasks)


async def test_a_picture_that_cannot_be_decoded_never_reaches_the_detector() -> None:
    detector = Brightest()
    async with running(detector) as context:
        with pytest.raises(UnusablePictureError):
            await analyse(context, b"no picture")
    assert detector.batches == []


async def test_pictures_of_recordings_are_detected_singly() -> None:
    detector = Brightest()
    detector.gate.clear()
    async with running(detector) as context:
        tasks = [
            asyncio.create_task(analyse(context, grey(10 * n), f"{n}", position_ms=n))
            for n in range(1, 7)
        ]
        (runner,) = context.pipeline.runners[1:]
        await until(lambda: runner.waiting + sum(len(b.frames) for b in runner.running) == 6)
        detector.gate.set()
        frames = await asyncio.gather(*tasks)
        assert [widths(frame) for frame in frames] == [[10 * n] for n in range(1, 7)]
    assert sorted(detector.batches) == [[10 * n] for n in range(1, 7)]


async def test_a_fault_of_the_detector_ends_the_frames_of_its_batch() -> None:
    class Faulty(Brightest):
        def candidates(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
            raise RuntimeError("out of memory")

    async with running(Faulty()) as context:
        with pytest.raises(RuntimeError, match="out of memory"):
            await analyse(context, grey(50))


async def test_the_time_in_stages_is_work_and_not_waiting() -> None:
    detector = Brightest()
    detector.gate.clear()
    async with running(detector) as context:
        began = time.perf_counter()
        waits = [asyncio.create_task(analyse(context, grey(50), f"{n}")) for n in range(6)]
        await asyncio.sleep(3)
        detector.gate.set()
        *_, last = await asyncio.gather(*waits)
        assert time.perf_counter() - began > 3
        assert last.faces.detect_s < 2  # it waited behind the batch that took longer


async def test_a_detector_in_threads_forms_no_batches() -> None:
    with stub_context(OneFace()) as context:
        assert len(context.pipeline.runners) == 1  # the engine's
