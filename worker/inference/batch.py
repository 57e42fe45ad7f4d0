"""Groups face crops of all cameras into batches for the engine, fairly among the cameras."""

import asyncio
import math
import time
from collections import OrderedDict, deque
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.metrics import WorkerMetrics
from worker.inference.engines import Engine

DEADLINE_S: Final = 0.01
"""A face that waited this long joins the next batch that can be queued, full or not."""

FAIR_QUANTUM: Final = 4
"""Faces that a camera may add to a batch before the other cameras get their turn. A usual frame
fits into one turn, and a crowd does not displace other cameras."""

QUEUED_PER_INSTANCE: Final = 1
"""Batches that may queue behind a busy instance, so that it does not wait for the event loop."""


@dataclass(frozen=True)
class Classified:
    """Probabilities (faces, labels), and how many seconds the engine worked on them."""

    probabilities: NDArray[np.float32]
    seconds: float


@dataclass(eq=False)
class Request:
    """One frame's crops, which the engine gets in one batch or in several.

    The batches may end in any order. `frame` says whose they are, for messages;
    `since` is when the crops arrived. `exact`: the result must follow from each crop alone.
    """

    frame: str
    crops: NDArray[np.uint8]
    result: "asyncio.Future[Classified]"
    since: float
    exact: bool = False
    dispatched: int = 0
    completed: int = 0
    rows: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    seconds: float = 0.0
    worked_until: float = 0.0


@dataclass(frozen=True)
class Part:
    """Faces `start` to `stop` (excluded) of a request, as part of a batch."""

    request: Request
    start: int
    stop: int


Batch: TypeAlias = list[Part]


@dataclass(frozen=True, eq=False)
class RunningBatch:
    """A batch that was given to the engine: the frames whose faces are in it."""

    frames: tuple[str, ...]


class BatchQueue:
    """Faces that wait for a batch, and the rule that forms batches of them.

    If instances of the engine are idle, waiting faces leave at once, spread over these instances.
    If all are busy, a batch may queue behind each instance when it is full, or when its oldest face
    has waited for `deadline_s`. So a single face does not wait for others while an instance is
    idle, and batches fill up under load. Cameras take turns of at most FAIR_QUANTUM faces.
    """

    def __init__(self, max_batch: int, instances: int, deadline_s: float) -> None:
        self._max_batch = max_batch
        self._instances = instances
        self._deadline_s = deadline_s
        self._waiting: OrderedDict[str, deque[Request]] = OrderedDict()
        self.faces = 0

    def add(self, camera: str, request: Request) -> None:
        """Add the faces of a frame to those that wait."""
        self._waiting.setdefault(camera, deque()).append(request)
        self.faces += len(request.crops)

    def next_batch(self, working: int, now: float) -> Batch:
        """Return the batch that leaves now, empty if none does.

        `working` is the number of batches that the engine works on or that are queued.
        """
        idle = self._instances - working
        if idle > 0:
            return self._take(min(self._max_batch, math.ceil(self.faces / idle)))
        full = self.faces >= self._max_batch
        if self._may_queue(working) and (full or self.due_in(working, now) == 0.0):
            return self._take(self._max_batch)
        return []

    def due_in(self, working: int, now: float) -> float | None:
        """Return the seconds until the oldest face's deadline.

        None if no face waits, or if no batch may queue.
        """
        if not self.faces or not self._may_queue(working):
            return None
        oldest = min(requests[0].since for requests in self._waiting.values())
        return max(0.0, oldest + self._deadline_s - now)

    def _may_queue(self, working: int) -> bool:
        return working < self._instances * (1 + QUEUED_PER_INSTANCE)

    def _take(self, room: int) -> Batch:
        batch = []
        while room and self._waiting:
            camera, requests = self._waiting.popitem(last=False)
            request = requests[0]
            stop = request.dispatched + min(
                room, FAIR_QUANTUM, len(request.crops) - request.dispatched
            )
            if not request.result.done():  # it is done if its frame was cancelled
                batch.append(Part(request, request.dispatched, stop))
                room -= stop - request.dispatched
            else:
                stop = len(request.crops)
            self.faces -= stop - request.dispatched
            request.dispatched = stop
            if request.dispatched == len(request.crops):
                requests.popleft()
            if requests:
                self._waiting[camera] = requests  # at the end, so that the other cameras come first
        return batch


class Batcher:
    """Gives batches of faces to the engine.

    `executor` has one thread for each instance of the engine. `running` are the batches that the
    engine works on, or that wait for its threads.
    """

    def __init__(self, engine: Engine, executor: Executor, metrics: WorkerMetrics) -> None:
        self._engine = engine
        self._executor = executor
        self._metrics = metrics
        self._queue = BatchQueue(engine.max_batch, engine.instances, DEADLINE_S)
        self._working = 0
        self.running: set[RunningBatch] = set()
        self._changed = asyncio.Event()

    @property
    def is_saturated(self) -> bool:
        """Whether the next face has to wait: every instance of the engine is busy."""
        return self._working >= self._engine.instances

    async def classify(
        self, camera: str, crops: NDArray[np.uint8], frame_id: str = "", *, exact: bool = False
    ) -> Classified:
        """Return the probabilities of crops (faces, size, size, 3), at once if there is no face.

        `frame_id` names the frame if its batch hangs. `exact`: the probabilities of a crop must not
        depend on the other crops of its batch, in the last bit either. Raises what the engine
        raises.
        """
        if not len(crops):
            return Classified(np.empty((0, 0), np.float32), 0.0)
        answer: asyncio.Future[Classified] = asyncio.get_running_loop().create_future()
        frame = f"{frame_id} of camera {camera}"
        self._queue.add(camera, Request(frame, crops, answer, time.monotonic(), exact))
        self._changed.set()
        return await answer

    async def run(self) -> None:
        """Give batches to the engine until cancelled."""
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
        running = RunningBatch(tuple(sorted({part.request.frame for part in batch})))
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
        """Classify a batch in an engine thread; return its rows, and when that began and ended."""
        crops = [part.request.crops[part.start : part.stop] for part in batch]
        joined = crops[0] if len(crops) == 1 else np.concatenate(crops)
        began = time.perf_counter()
        if any(part.request.exact for part in batch) and not self._engine.is_batch_invariant:
            singly = [self._engine.classify(joined[n : n + 1]) for n in range(len(joined))]
            rows = np.concatenate(singly)
        else:
            rows = self._engine.classify(joined)
        if len(rows) != len(joined):
            raise RuntimeError(f"{self._engine.name} gave {len(rows)} rows for {len(joined)} faces")
        return rows, began, time.perf_counter()

    def _end(self, batch: Batch, rows: NDArray[np.float32], began: float, ended: float) -> None:
        self._metrics.engine_busy.inc((ended - began) / self._engine.instances)
        self._metrics.batch.observe(len(rows))
        at = 0
        for part in batch:
            count = part.stop - part.start
            _resolve(part, rows[at : at + count], began, ended)
            at += count


def _resolve(part: Part, rows: NDArray[np.float32], began: float, ended: float) -> None:
    request = part.request
    if not request.completed:
        request.rows = np.empty((len(request.crops), rows.shape[1]), np.float32)
    request.rows[part.start : part.stop] = rows
    request.completed += len(rows)
    # If instances worked on two parts of a frame at the same time, that time counts once.
    request.seconds += max(0.0, ended - max(began, request.worked_until))
    request.worked_until = max(ended, request.worked_until)
    if request.completed == len(request.crops) and not request.result.done():
        request.result.set_result(Classified(request.rows, request.seconds))


def _fail(batch: Batch, error: BaseException) -> None:
    for part in batch:
        if not part.request.result.done():
            part.request.result.set_exception(error)
