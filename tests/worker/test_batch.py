"""Batches across cameras."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from emotion_streams.service.metrics import WorkerMetrics
from worker.batch import Batcher


class GatedEngine:
    """Answers each crop with its own first pixel, when the test opens the gate."""

    name = "gated"
    lanes = 1

    def __init__(self, max_batch: int = 8) -> None:
        self.max_batch = max_batch
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[list[int]] = []
        self.fails = False

    def warm(self) -> None:
        pass

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert self.gate.wait(10)
        if self.fails:
            raise RuntimeError("out of memory")
        values = crops[:, 0, 0, 0]
        self.batches.append(values.tolist())
        return np.repeat(values[:, np.newaxis].astype(np.float32), 8, axis=1)


def crops(*values: int) -> NDArray[np.uint8]:
    return np.array(values, np.uint8).reshape(-1, 1, 1, 1).repeat(3, axis=3)


def run(engine: GatedEngine, check: Callable[[Batcher], Awaitable[None]]) -> None:
    async def main() -> None:
        with ThreadPoolExecutor(1) as thread:
            batcher = Batcher(engine, thread, WorkerMetrics(CollectorRegistry()))
            task = asyncio.create_task(batcher.run())
            await check(batcher)
            task.cancel()

    asyncio.run(main())


def test_a_lone_face_goes_at_once_when_the_engine_is_idle() -> None:
    engine = GatedEngine()

    async def check(batcher: Batcher) -> None:
        answer = await batcher.classify("a", crops(7))
        assert answer.probabilities[:, 0].tolist() == [7]
        assert engine.batches == [[7]]

    run(engine, check)


def test_a_frame_without_a_face_never_reaches_the_engine() -> None:
    engine = GatedEngine()

    async def check(batcher: Batcher) -> None:
        answer = await batcher.classify("a", crops())
        assert len(answer.probabilities) == 0
        assert engine.batches == []

    run(engine, check)


def test_what_gathers_while_the_engine_works_leaves_as_one_batch_across_cameras() -> None:
    engine = GatedEngine()
    engine.gate.clear()

    async def check(batcher: Batcher) -> None:
        first = asyncio.ensure_future(batcher.classify("a", crops(1)))
        await asyncio.sleep(0.01)  # it is with the engine now, which waits for the gate
        rest = [
            asyncio.ensure_future(batcher.classify(camera, crops(value)))
            for camera, value in (("a", 2), ("b", 3), ("c", 4))
        ]
        await asyncio.sleep(0)
        engine.gate.set()
        await asyncio.gather(first, *rest)
        assert [sorted(batch) for batch in engine.batches] == [[1], [2, 3, 4]]

    run(engine, check)


def test_a_camera_with_many_faces_waits_for_itself() -> None:
    engine = GatedEngine(max_batch=4)
    engine.gate.clear()

    async def check(batcher: Batcher) -> None:
        first = asyncio.ensure_future(batcher.classify("crowd", crops(0)))
        await asyncio.sleep(0.01)
        crowd = [
            asyncio.ensure_future(batcher.classify("crowd", crops(*[9] * 4))) for _ in range(5)
        ]
        quiet = asyncio.ensure_future(batcher.classify("quiet", crops(1)))
        await asyncio.sleep(0)
        engine.gate.set()
        await asyncio.gather(first, quiet, *crowd)
        turn = next(n for n, batch in enumerate(engine.batches) if 1 in batch)
        assert turn <= 2

    run(engine, check)


def test_a_fault_of_the_engine_reaches_every_frame_of_the_batch() -> None:
    engine = GatedEngine()
    engine.fails = True

    async def check(batcher: Batcher) -> None:
        with pytest.raises(RuntimeError, match="out of memory"):
            await batcher.classify("a", crops(1))

    run(engine, check)


def test_a_frame_that_is_given_up_does_not_disturb_the_others() -> None:
    engine = GatedEngine()
    engine.gate.clear()

    async def check(batcher: Batcher) -> None:
        given_up = asyncio.ensure_future(batcher.classify("a", crops(1)))
        kept = asyncio.ensure_future(batcher.classify("b", crops(2)))
        await asyncio.sleep(0.01)
        given_up.cancel()
        engine.gate.set()
        assert (await kept).probabilities[0, 0] == 2

    run(engine, check)


@settings(max_examples=60, deadline=None)
@given(
    requests=st.lists(
        st.tuples(st.sampled_from("abc"), st.lists(st.integers(0, 255), max_size=9)), max_size=20
    ),
    max_batch=st.integers(1, 8),
)
def test_every_face_gets_its_own_answer_and_no_batch_is_too_large(
    requests: list[tuple[str, list[int]]], max_batch: int
) -> None:
    engine = GatedEngine(max_batch)

    async def check(batcher: Batcher) -> None:
        answers = await asyncio.gather(
            *(batcher.classify(camera, crops(*values)) for camera, values in requests)
        )
        for (_, values), answer in zip(requests, answers, strict=True):
            assert answer.probabilities[:, :1].ravel().tolist() == values

    run(engine, check)
    assert sum(map(len, engine.batches)) == sum(len(values) for _, values in requests)
    assert all(len(batch) <= max_batch for batch in engine.batches)
