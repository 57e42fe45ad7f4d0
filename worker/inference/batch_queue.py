"""The rule by which items of all cameras, crops or pictures, form batches, fairly among cameras."""

import asyncio
import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

FAIR_QUANTUM: Final = 4
"""Items that a camera may add to a batch before the other cameras get their turn. A usual frame
fits into one turn, and a crowd does not displace other cameras."""

QUEUED_PER_INSTANCE: Final = 1
"""Batches that may queue behind a busy instance, so that it does not wait for the event loop."""


@dataclass(frozen=True)
class BatchResult:
    """A row per item, float32 (items, ...), and how many seconds the model worked on them."""

    rows: NDArray[np.float32]
    seconds: float


@dataclass(eq=False)
class Request:
    """One frame's items, which the model gets in one batch or in several.

    The batches may end in any order. `frame` says whose they are, for messages; `items` is uint8
    (items, ...); `since` is when they arrived. `exact`: the result must follow from each item
    alone. `is_new`: an item is of something that the model has not seen yet.
    """

    frame: str
    items: NDArray[np.uint8]
    result: "asyncio.Future[BatchResult]"
    since: float
    exact: bool = False
    is_new: bool = False
    dispatched: int = 0
    completed: int = 0
    rows: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    seconds: float = 0.0
    worked_until: float = 0.0


@dataclass(frozen=True)
class Part:
    """Items `start` to `stop` (excluded) of a request, as part of a batch."""

    request: Request
    start: int
    stop: int

    @property
    def items(self) -> NDArray[np.uint8]:
        """The items themselves."""
        return self.request.items[self.start : self.stop]


Batch: TypeAlias = list[Part]


class BatchQueue:
    """Items that wait for a batch, and the rule that forms batches of them.

    If instances of the model are idle, waiting items leave at once, spread over these instances.
    If all are busy, a batch may queue behind each instance when it is full, or when its oldest item
    has waited for `deadline_s`. So a single item does not wait for others while an instance is
    idle, and batches fill up under load.

    Cameras take turns of at most FAIR_QUANTUM items, in rounds: each that waits has one turn in a
    round. Those with a new request come first in it, so that a new item waits behind no camera that
    has only known ones, and a camera with new items in every frame starves no other. Requests of a
    camera stay in their order, in which its frames are committed.
    """

    def __init__(self, max_batch: int, instances: int, deadline_s: float) -> None:
        self._max_batch = max_batch
        self._instances = instances
        self._deadline_s = deadline_s
        self._waiting: dict[str, deque[Request]] = {}
        self._new: deque[str] = deque()
        self._known: deque[str] = deque()
        self._served: set[str] = set()
        self._next_round: list[str] = []
        self.count = 0

    def add(self, camera: str, request: Request) -> None:
        """Add the items of a frame to those that wait."""
        self.count += len(request.items)
        if camera not in self._waiting:
            self._waiting[camera] = deque([request])
            self._enqueue(camera)
            return
        self._waiting[camera].append(request)
        if request.is_new and camera in self._known:
            self._known.remove(camera)
            self._new.append(camera)

    def next_batch(self, working: int, now: float) -> Batch:
        """Return the batch that leaves now, empty if none does.

        `working` is the number of batches that the model works on or that are queued.
        """
        idle = self._instances - working
        if idle > 0:
            return self._take(min(self._max_batch, math.ceil(self.count / idle)))
        full = self.count >= self._max_batch
        if self._may_queue(working) and (full or self.due_in(working, now) == 0.0):
            return self._take(self._max_batch)
        return []

    def due_in(self, working: int, now: float) -> float | None:
        """Return the seconds until the oldest item's deadline.

        None if no item waits, or if no batch may queue.
        """
        if not self.count or not self._may_queue(working):
            return None
        oldest = min(requests[0].since for requests in self._waiting.values())
        return max(0.0, oldest + self._deadline_s - now)

    def _may_queue(self, working: int) -> bool:
        return working < self._instances * (1 + QUEUED_PER_INSTANCE)

    def _enqueue(self, camera: str) -> None:
        """Give a camera that waits its turn in this round, or in the next one."""
        if camera in self._served:
            self._next_round.append(camera)
        elif any(request.is_new for request in self._waiting[camera]):
            self._new.append(camera)
        else:
            self._known.append(camera)

    def _next_camera(self) -> str:
        """Return the camera whose turn it is; at least one waits."""
        if not self._new and not self._known:
            cameras, self._next_round = self._next_round, []
            self._served.clear()
            for camera in cameras:
                self._enqueue(camera)
        camera = (self._new or self._known).popleft()
        self._served.add(camera)
        return camera

    def _take(self, room: int) -> Batch:
        batch = []
        while room and self._waiting:
            camera = self._next_camera()
            requests = self._waiting[camera]
            request = requests[0]
            stop = request.dispatched + min(
                room, FAIR_QUANTUM, len(request.items) - request.dispatched
            )
            if not request.result.done():  # it is done if its frame was cancelled
                batch.append(Part(request, request.dispatched, stop))
                room -= stop - request.dispatched
            else:
                stop = len(request.items)
            self.count -= stop - request.dispatched
            request.dispatched = stop
            if request.dispatched == len(request.items):
                requests.popleft()
            if requests:
                self._enqueue(camera)
            else:
                del self._waiting[camera]
        return batch
