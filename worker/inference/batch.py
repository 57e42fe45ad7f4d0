"""Gives batches of all cameras to a model."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from worker.inference.batch_queue import Batch, BatchQueue, BatchResult, Part, Request

DEADLINE_S: Final = 0.01
"""An item that waited this long joins the next batch that can be queued, full or not."""

Compute: TypeAlias = Callable[[Sequence[NDArray[np.uint8]]], NDArray[np.float32]]
"""Takes groups of items and returns a row per item, in their order."""

Observe: TypeAlias = Callable[[int, float], None]
"""Gets the size of a batch that has ended, and its share of the instances' time in seconds."""


@dataclass(frozen=True)
class BatchedModel:
    """A model that takes batches.

    `name` is for messages. `compute` takes up to `max_batch` items, from `instances` threads at the
    same time. `is_batch_invariant`: whether the row of an item is the same, to the last bit, in
    every batch.
    """

    name: str
    compute: Compute
    max_batch: int
    instances: int
    is_batch_invariant: bool = False


@dataclass(frozen=True, eq=False)
class RunningBatch:
    """A batch that was given to `model`: the frames whose items are in it."""

    model: str
    frames: tuple[str, ...]


class BatchRunner:
    """Gives batches to a model.

    `executor` has one thread for each instance of the model. `running` are the batches that the
    model works on, or that wait for its threads.
    """

    def __init__(self, model: BatchedModel, executor: Executor, observe: Observe) -> None:
        self._model = model
        self._executor = executor
        self._observe = observe
        self._queue = BatchQueue(model.max_batch, model.instances, DEADLINE_S)
        self._working = 0
        self.running: set[RunningBatch] = set()
        self._changed = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Number of items that wait for a batch."""
        return self._queue.count

    @property
    def is_saturated(self) -> bool:
        """Whether the next item has to wait: every instance of the model is busy."""
        return self._working >= self._model.instances

    async def submit(
        self,
        camera: str,
        items: NDArray[np.uint8],
        frame_id: str,
        *,
        exact: bool = False,
        is_new: bool = False,
    ) -> BatchResult:
        """Return a row for each of the items, of which there is at least one.

        `frame_id` names the frame if its batch hangs. `exact`: the row of an item must not depend
        on the other items of its batch, in the last bit either. `is_new`: it goes before what other
        cameras repeat (BatchQueue). Raises what the model raises.
        """
        answer: asyncio.Future[BatchResult] = asyncio.get_running_loop().create_future()
        frame = f"{frame_id} of camera {camera}"
        self._queue.add(camera, Request(frame, items, answer, time.monotonic(), exact, is_new))
        self._changed.set()
        return await answer

    async def run(self) -> None:
        """Give batches to the model until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            while batch := self._queue.next_batch(self._working, time.monotonic()):
                self._begin(batch)
            due_in = self._queue.due_in(self._working, time.monotonic())
            timer = None if due_in is None else loop.call_later(due_in, self._changed.set)
            await self._changed.wait()
            if timer:
                timer.cancel()

    def _begin(self, batch: Batch) -> None:
        self._working += 1
        running = RunningBatch(
            self._model.name, tuple(sorted({part.request.frame for part in batch}))
        )
        self.running.add(running)
        work = asyncio.get_running_loop().run_in_executor(self._executor, self._work, batch)

        def end(_: object) -> None:
            self._working -= 1
            self.running.discard(running)
            self._changed.set()
            if work.cancelled():  # the loop is being closed
                return
            if error := work.exception():
                _fail(batch, error)
            else:
                self._end(batch, *work.result())

        work.add_done_callback(end)

    def _work(self, batch: Batch) -> tuple[NDArray[np.float32], float, float]:
        """Compute a batch in a thread; return its rows, and when that began and ended."""
        began = time.perf_counter()
        if any(part.request.exact for part in batch) and not self._model.is_batch_invariant:
            rows = self._rows_of_mixed(batch)
        else:
            rows = self._rows([part.items for part in batch])
        return rows, began, time.perf_counter()

    def _rows(self, groups: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        rows = self._model.compute(groups)
        if len(rows) != (count := sum(map(len, groups))):
            raise RuntimeError(f"{self._model.name} gave {len(rows)} rows for {count} items")
        return rows

    def _rows_of_mixed(self, batch: Batch) -> NDArray[np.float32]:
        """Compute the items of exact parts singly, and all others together."""
        others = [part.items for part in batch if not part.request.exact]
        shared, at = self._rows(others) if others else None, 0
        rows = []
        for part in batch:
            count = len(part.items)
            if shared is None or part.request.exact:
                rows += [self._rows([part.items[n : n + 1]]) for n in range(count)]
            else:
                rows.append(shared[at : at + count])
                at += count
        return np.concatenate(rows)

    def _end(self, batch: Batch, rows: NDArray[np.float32], began: float, ended: float) -> None:
        self._observe(len(rows), (ended - began) / self._model.instances)
        at = 0
        for part in batch:
            count = part.stop - part.start
            _resolve(part, rows[at : at + count], began, ended)
            at += count


def _resolve(part: Part, rows: NDArray[np.float32], began: float, ended: float) -> None:
    request = part.request
    if not request.completed:
        request.rows = np.empty((len(request.items), *rows.shape[1:]), np.float32)
    request.rows[part.start : part.stop] = rows
    request.completed += len(rows)
    # If instances worked on two parts of a frame at the same time, that time counts once.
    request.seconds += max(0.0, ended - max(began, request.worked_until))
    request.worked_until = max(ended, request.worked_until)
    if request.completed == len(request.items) and not request.result.done():
        request.result.set_result(BatchResult(request.rows, request.seconds))


def _fail(batch: Batch, error: BaseException) -> None:
    for part in batch:
        if not part.request.result.done():
            part.request.result.set_exception(error)
