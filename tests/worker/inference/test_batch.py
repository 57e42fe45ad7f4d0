"""Batches across cameras."""

import asyncio
import math
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from service.metrics import WorkerMetrics
from tests.servers import PATIENCE_S
from tests.worker.stubs import until
from worker.inference.batch import DEADLINE_S
from worker.inference.batch_queue import FAIR_QUANTUM, Batch, BatchQueue, Request
from worker.inference.batcher import Batcher


class GatedEngine:
    """Answers each crop with its own first pixel, when the test opens the gate."""

    name = "gated"
    is_batch_invariant = False
    instances = 1

    def __init__(self, max_batch: int = 8, instances: int = 1) -> None:
        self.max_batch = max_batch
        self.instances = instances
        self.gate = threading.Event()
        self.gate.set()
        self.begun = 0
        self.batches: list[list[int]] = []
        self.fails = False

    def warm(self) -> None:
        pass

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.begun += 1
        assert self.gate.wait(PATIENCE_S)
        if self.fails:
            raise RuntimeError("out of memory")
        values = crops[:, 0, 0, 0]
        self.batches.append(values.tolist())
        return np.repeat(values[:, np.newaxis].astype(np.float32), 8, axis=1)


def crops(*values: int) -> NDArray[np.uint8]:
    return np.array(values, np.uint8).reshape(-1, 1, 1, 1).repeat(3, axis=3)


@asynccontextmanager
async def running(engine: GatedEngine) -> AsyncIterator[Batcher]:
    with ThreadPoolExecutor(engine.instances) as threads:
        batcher = Batcher(engine, threads, WorkerMetrics(CollectorRegistry()))
        task = asyncio.create_task(batcher.run())
        try:
            yield batcher
        finally:
            task.cancel()


async def test_a_lone_face_goes_at_once_when_the_engine_is_idle() -> None:
    engine = GatedEngine()
    async with running(engine) as batcher:
        answer = await batcher.classify("a", crops(7))
        assert answer.probabilities[:, 0].tolist() == [7]
        assert engine.batches == [[7]]


async def test_faces_whose_result_must_be_exact_go_singly_if_the_engine_depends_on_the_batch() -> (
    None
):
    engine = GatedEngine()
    async with running(engine) as batcher:
        answer = await batcher.classify("a", crops(7, 8, 9), exact=True)
        assert answer.probabilities[:, 0].tolist() == [7, 8, 9]
        assert engine.batches == [[7], [8], [9]]


async def test_faces_of_a_recording_leave_those_of_live_cameras_in_their_batch() -> None:
    engine = GatedEngine()
    engine.gate.clear()
    async with running(engine) as batcher:
        first = asyncio.ensure_future(batcher.classify("a", crops(1)))
        await until(lambda: engine.begun == 1)
        others = [
            asyncio.ensure_future(batcher.classify("live", crops(2, 3))),
            asyncio.ensure_future(batcher.classify("film", crops(4), exact=True)),
            asyncio.ensure_future(batcher.classify("live too", crops(5))),
        ]
        await asyncio.sleep(0)
        engine.gate.set()
        found = [(await each).probabilities[:, 0].tolist() for each in (first, *others)]
    assert found == [[1], [2, 3], [4], [5]]
    assert sorted(engine.batches) == [[1], [2, 3, 5], [4]]


async def test_a_frame_without_a_face_never_reaches_the_engine() -> None:
    engine = GatedEngine()
    async with running(engine) as batcher:
        answer = await batcher.classify("a", crops())
        assert len(answer.probabilities) == 0
        assert engine.batches == []


async def test_faces_that_wait_for_the_engine_leave_as_one_batch_across_cameras() -> None:
    engine = GatedEngine()
    engine.gate.clear()
    async with running(engine) as batcher:
        first = asyncio.ensure_future(batcher.classify("a", crops(1)))
        await until(lambda: engine.begun == 1)
        rest = [
            asyncio.ensure_future(batcher.classify(camera, crops(value)))
            for camera, value in (("a", 2), ("b", 3), ("c", 4))
        ]
        await asyncio.sleep(0)  # a step of the loop, in which each joins the queue
        engine.gate.set()
        await asyncio.gather(first, *rest)
        assert [sorted(batch) for batch in engine.batches] == [[1], [2, 3, 4]]


async def test_a_face_that_waited_its_deadline_queues_without_company() -> None:
    engine = GatedEngine()
    engine.gate.clear()
    async with running(engine) as batcher:
        first = asyncio.ensure_future(batcher.classify("a", crops(1)))
        await until(lambda: engine.begun == 1)
        second = asyncio.ensure_future(batcher.classify("b", crops(2)))
        await until(lambda: len(batcher.running) == 2)
        third = asyncio.ensure_future(batcher.classify("c", crops(3)))
        await until(lambda: batcher.waiting == 1)
        engine.gate.set()
        await asyncio.gather(first, second, third)
        assert engine.batches == [[1], [2], [3]]


async def test_a_camera_with_many_faces_waits_for_itself() -> None:
    engine = GatedEngine(max_batch=4)
    engine.gate.clear()
    async with running(engine) as batcher:
        first = asyncio.ensure_future(batcher.classify("crowd", crops(0)))
        await until(lambda: engine.begun == 1)
        crowd = [
            asyncio.ensure_future(batcher.classify("crowd", crops(*[9] * 4))) for _ in range(5)
        ]
        quiet = asyncio.ensure_future(batcher.classify("quiet", crops(1)))
        await asyncio.sleep(0)  # a step of the loop, in which each joins the queue
        engine.gate.set()
        await asyncio.gather(first, quiet, *crowd)
        turn = next(n for n, batch in enumerate(engine.batches) if 1 in batch)
        assert turn <= 2
        assert all(len(batch) == 4 for batch in engine.batches[1:-1])


async def test_a_fault_of_the_engine_reaches_every_frame_of_the_batch() -> None:
    engine = GatedEngine()
    engine.fails = True
    async with running(engine) as batcher:
        with pytest.raises(RuntimeError, match="out of memory"):
            await batcher.classify("a", crops(1))


async def test_a_frame_that_is_given_up_does_not_disturb_the_others() -> None:
    engine = GatedEngine()
    engine.gate.clear()
    async with running(engine) as batcher:
        given_up = asyncio.ensure_future(batcher.classify("a", crops(1)))
        kept = asyncio.ensure_future(batcher.classify("b", crops(2)))
        await until(lambda: engine.begun == 1)
        given_up.cancel()
        engine.gate.set()
        assert (await kept).probabilities[0, 0] == 2


@given(
    requests=st.lists(
        st.tuples(st.sampled_from("abc"), st.lists(st.integers(0, 255), max_size=9)), max_size=20
    ),
    max_batch=st.integers(1, 8),
    instances=st.integers(1, 3),
)
async def test_every_face_gets_its_own_answer_and_no_batch_is_too_large(
    requests: list[tuple[str, list[int]]], max_batch: int, instances: int
) -> None:
    engine = GatedEngine(max_batch, instances)
    async with running(engine) as batcher:
        answers = await asyncio.gather(
            *(batcher.classify(camera, crops(*values)) for camera, values in requests)
        )
        for (_, values), answer in zip(requests, answers, strict=True):
            assert answer.probabilities[:, :1].ravel().tolist() == values
    assert sum(map(len, engine.batches)) == sum(len(values) for _, values in requests)
    assert all(len(batch) <= max_batch for batch in engine.batches)


async def test_an_engine_that_loses_a_face_is_not_trusted() -> None:
    class Short(GatedEngine):
        def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
            return super().classify(crops)[1:]

    async with running(Short()) as batcher:
        with pytest.raises(RuntimeError, match="the engine gave 2 rows for 3 items"):
            await batcher.classify("a", crops(1, 2, 3))


@contextmanager
def batch_queue(max_batch: int = 8, instances: int = 1) -> Iterator[tuple[BatchQueue, "Arrive"]]:
    """What waits, and a way to add to it at a moment that the test chooses."""
    loop = asyncio.new_event_loop()
    waiting = BatchQueue(max_batch, instances, DEADLINE_S)

    def arrive(camera: str, faces: int, now: float = 0.0, *, is_new: bool = False) -> Request:
        frame = f"1-0 of camera {camera}"
        request = Request(frame, crops(*range(faces)), loop.create_future(), now, is_new=is_new)
        waiting.add(camera, request)
        return request

    yield waiting, arrive
    loop.close()


Arrive = Callable[..., Request]


def sizes(batch: Batch) -> list[int]:
    return [part.stop - part.start for part in batch]


def test_while_the_engine_is_idle_nothing_waits() -> None:
    with batch_queue() as (waiting, arrive):
        arrive("a", 2)
        assert sizes(waiting.next_batch(working=0, now=0.0)) == [2]


def test_while_the_engine_works_a_batch_queues_once_it_is_full() -> None:
    with batch_queue(max_batch=4) as (waiting, arrive):
        arrive("a", 3)
        assert waiting.next_batch(working=1, now=0.0) == []
        arrive("b", 3)
        assert sizes(waiting.next_batch(working=1, now=0.0)) == [3, 1]
        assert waiting.count == 2


def test_while_the_engine_works_a_batch_queues_once_its_oldest_face_is_due() -> None:
    with batch_queue() as (waiting, arrive):
        arrive("a", 1, now=5.0)
        arrive("b", 1, now=5.006)
        assert waiting.due_in(working=1, now=5.008) == pytest.approx(0.002)
        assert waiting.next_batch(working=1, now=5.009) == []
        assert sizes(waiting.next_batch(working=1, now=5.011)) == [1, 1]


def test_behind_a_queued_batch_nothing_queues_and_no_timer_runs() -> None:
    with batch_queue(max_batch=2) as (waiting, arrive):
        arrive("a", 5)
        assert waiting.next_batch(working=2, now=99.0) == []
        assert waiting.due_in(working=2, now=99.0) is None


def test_a_frame_is_shared_out_over_idle_instances() -> None:
    with batch_queue(instances=2) as (waiting, arrive):
        arrive("a", 3)
        first = waiting.next_batch(working=0, now=0.0)
        second = waiting.next_batch(working=1, now=0.0)
        assert [sizes(first), sizes(second)] == [[2], [1]]


def test_a_frame_that_was_given_up_takes_no_room() -> None:
    with batch_queue(max_batch=4) as (waiting, arrive):
        arrive("a", 4).result.cancel()
        arrive("b", 2)
        assert sizes(waiting.next_batch(working=0, now=0.0)) == [2]
        assert waiting.count == 0


def order(waiting: BatchQueue) -> list[str]:
    """The cameras in the order of their turns, until none waits."""
    cameras: list[str] = []
    while waiting.count:
        batch = waiting.next_batch(working=0, now=0.0)
        cameras += [part.request.frame.rpartition(" ")[2] for part in batch]
    return cameras


def test_cameras_with_a_new_face_come_before_those_with_known_ones() -> None:
    with batch_queue() as (waiting, arrive):
        for camera in "ab":
            arrive(camera, 2)
        for camera in "xy":
            arrive(camera, 2, is_new=True)
        assert order(waiting) == ["x", "y", "a", "b"]


def test_a_new_face_takes_the_older_frames_of_its_camera_along() -> None:
    """Their events have to come first."""
    with batch_queue() as (waiting, arrive):
        arrive("a", 2)
        arrive("b", 1)
        arrive("b", 3, is_new=True)
        assert sizes(waiting.next_batch(working=0, now=0.0)) == [1, 2, 3]
        assert waiting.count == 0


def test_a_camera_with_new_faces_in_every_frame_starves_no_other() -> None:
    with batch_queue(max_batch=2) as (waiting, arrive):
        arrive("known", 2)
        for _ in range(5):
            arrive("street", 2, is_new=True)
        assert order(waiting) == ["street", "known", *["street"] * 4]


def test_a_camera_that_had_its_turn_waits_for_the_next_round_with_new_faces_as_well() -> None:
    with batch_queue(max_batch=2) as (waiting, arrive):
        for camera in "ab":
            arrive(camera, 2)
        assert sizes(waiting.next_batch(working=0, now=0.0)) == [2]
        arrive("a", 2, is_new=True)
        arrive("c", 2)
        assert order(waiting) == ["b", "c", "a"]


moves = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), st.sampled_from("abcd"), st.integers(1, 20), st.booleans()),
        st.tuples(st.just("pass"), st.floats(0, 0.02)),
        st.tuples(st.just("end")),
    ),
    max_size=60,
)


@given(moves=moves, max_batch=st.integers(1, 16), instances=st.integers(1, 3))
def test_the_rule_holds_in_every_sequence(
    moves: list[tuple[Any, ...]], max_batch: int, instances: int
) -> None:
    """Nothing is lost or given twice, frames of a camera go in order, no batch is too large, no
    instance is idle while a face waits, and none waits beyond its deadline if a batch may queue."""
    with batch_queue(max_batch, instances) as (waiting, arrive):
        now, working, came = 0.0, 0, []
        given: dict[str, list[tuple[int, int]]] = {}
        numbers: dict[int, tuple[str, int]] = {}

        def ship() -> None:
            nonlocal working
            while batch := waiting.next_batch(working, now):
                working += 1
                assert sum(sizes(batch)) <= max_batch
                assert all(size <= FAIR_QUANTUM for size in sizes(batch))
                for part in batch:
                    camera, number = numbers[id(part.request)]
                    faces = range(part.start, part.stop)
                    given.setdefault(camera, []).extend((number, face) for face in faces)
            assert working >= instances or waiting.count == 0
            assert waiting.count < max_batch or working == 2 * instances

        for move in moves:
            if move[0] == "arrive":
                request = arrive(move[1], move[2], now, is_new=move[3])
                came.append(request)
                numbers[id(request)] = (move[1], len(came))
            elif move[0] == "pass":
                due_in = waiting.due_in(working, now)
                now += min(move[1], math.inf if due_in is None else due_in)
            else:
                working = max(0, working - 1)
            ship()
            assert waiting.due_in(working, now) != 0.0
        while waiting.count:
            working = 0
            ship()
        for camera, faces in given.items():
            own = [(n, len(r.items)) for r in came for c, n in [numbers[id(r)]] if c == camera]
            assert faces == [(number, face) for number, count in own for face in range(count)]
        assert sum(map(len, given.values())) == sum(len(request.items) for request in came)


@given(
    crowd=st.integers(20, 200),
    cameras=st.integers(1, 8),
    max_batch=st.integers(4, 32),
    is_new=st.booleans(),
)
def test_a_quiet_camera_waits_one_turn_of_each_other_at_most(
    crowd: int, cameras: int, max_batch: int, is_new: bool
) -> None:
    with batch_queue(max_batch) as (waiting, arrive):
        for camera in range(cameras):
            arrive(f"crowd{camera}", crowd, is_new=is_new)
        quiet = arrive("quiet", 1)
        before = 0
        while quiet.dispatched == 0:
            batch = waiting.next_batch(working=0, now=0.0)
            before += sum(part.stop - part.start for part in batch if part.request is not quiet)
        assert before <= cameras * FAIR_QUANTUM + max_batch
