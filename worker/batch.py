"""Face crops of all cameras into batches for the engine, fair among the cameras."""

import asyncio
import time
from collections import OrderedDict, deque
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from emotion_streams.service.metrics import WorkerMetrics
from worker.engines import Engine


@dataclass
class _Request:
    """One frame's crops, given to the engine in one batch or over several."""

    crops: NDArray[np.uint8]
    answer: "asyncio.Future[Classified]"
    given: int = 0
    rows: list[NDArray[np.float32]] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class Classified:
    """Probabilities (faces, labels), and how long the engine was at work for them."""

    probabilities: NDArray[np.float32]
    seconds: float


class Batcher:
    """Feeds the engine, one batch at a time.

    A batch leaves as soon as the engine is idle, with all that waits by then up to the engine's
    largest batch; while it works, the next one gathers. So a lone face never waits for company,
    and under load batches fill by themselves. Cameras take turns: one with many faces waits for
    itself.
    """

    def __init__(self, engine: Engine, executor: Executor, metrics: WorkerMetrics) -> None:
        self._engine = engine
        self._executor = executor
        self._metrics = metrics
        self._waiting: OrderedDict[str, deque[_Request]] = OrderedDict()
        self._arrived = asyncio.Event()

    async def classify(self, camera: str, crops: NDArray[np.uint8]) -> Classified:
        """Probabilities of crops (faces, size, size, 3); none at once for no face. What the engine
        raises is raised here."""
        if not len(crops):
            return Classified(np.empty((0, 0), np.float32), 0.0)
        request = _Request(crops, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(camera, deque()).append(request)
        self._arrived.set()
        return await request.answer

    async def run(self) -> None:
        """Give batches to the engine, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            if not (parts := self._take(self._engine.max_batch)):
                self._arrived.clear()
                continue
            batch = np.concatenate([crops for _, crops in parts])
            start = time.perf_counter()
            try:
                rows = await loop.run_in_executor(self._executor, self._engine.classify, batch)
            except Exception as error:
                _refuse(parts, error)
                continue
            seconds = time.perf_counter() - start
            self._metrics.busy.inc(seconds)
            self._metrics.batch.observe(len(batch))
            _answer(parts, rows, seconds)

    def _take(self, room: int) -> list[tuple[_Request, NDArray[np.uint8]]]:
        """Crops for one batch: a frame of each camera in turn, until it is full."""
        parts = []
        while room and self._waiting:
            camera, requests = self._waiting.popitem(last=False)
            request = requests[0]
            crops = request.crops[request.given : request.given + room]
            request.given += len(crops)
            room -= len(crops)
            parts.append((request, crops))
            if request.given == len(request.crops):
                requests.popleft()
            if requests:
                self._waiting[camera] = requests  # at the end: the others come first
        return parts


def _answer(
    parts: list[tuple[_Request, NDArray[np.uint8]]], rows: NDArray[np.float32], seconds: float
) -> None:
    start = 0
    for request, crops in parts:
        request.rows.append(rows[start : start + len(crops)])
        request.seconds += seconds
        start += len(crops)
        done = sum(map(len, request.rows)) == len(request.crops)
        if done and not request.answer.done():  # it is done where its frame was given up
            request.answer.set_result(Classified(np.concatenate(request.rows), request.seconds))


def _refuse(parts: list[tuple[_Request, NDArray[np.uint8]]], error: Exception) -> None:
    for request, _ in parts:
        if not request.answer.done():
            request.answer.set_exception(error)
