"""A workshop whose finder and engine cost nothing, for tests of what goes on around them."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from emotion_streams.emotions import EMOTIONS
from emotion_streams.events import Box, Model
from service.metrics import WorkerMetrics
from worker.context import Workshop
from worker.inference.batch import Batcher
from worker.inference.decode import UnusablePictureError
from worker.inference.detect import Detection
from worker.inference.find import FaceFinder, Found
from worker.inference.permits import Slots


class OneFace:
    """Finds a face in every picture but b"bad"; `before` runs first, in the thread."""

    detector = "stub"

    def __init__(self, before: Callable[[bytes], object] = lambda _: None) -> None:
        self.before = before

    def find(self, jpeg: bytes) -> Found:
        self.before(jpeg)
        if jpeg == b"bad":
            raise UnusablePictureError("bad")
        face = Detection(Box(1, 2, 3, 4), 0.9)
        return Found(64, 48, (face,), np.zeros((1, 8, 8, 3), np.uint8), 0.001, 0.001)


class Indifferent:
    """Finds all emotions equally likely, once its gate is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()

    name = "stub"
    max_batch = 8
    lanes = 1

    def warm(self) -> None:
        pass

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert self.gate.wait(30)
        return np.full((len(crops), len(EMOTIONS)), 1 / len(EMOTIONS), np.float32)


@contextmanager
def stub_shop(
    finder: OneFace | None = None,
    slots: int = 4,
    engine: Indifferent | None = None,
    registry: CollectorRegistry | None = None,
    threads: int = 4,
) -> Iterator[Workshop]:
    """To be made inside of a running loop; the batcher is still to be run."""
    metrics = WorkerMetrics(registry or CollectorRegistry())
    with ThreadPoolExecutor(threads) as pool, ThreadPoolExecutor(1) as engine_thread:
        yield Workshop(
            finder=cast("FaceFinder", finder or OneFace()),
            threads=pool,
            batcher=Batcher(cast("Any", engine or Indifferent()), engine_thread, metrics),
            labels=EMOTIONS,
            model=Model("stub", "1", "stub"),
            slots=Slots(slots, slots),
            metrics=metrics,
        )


async def until(predicate: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Wait, as tests.servers.eventually does, while the loop goes on."""
    async with asyncio.timeout(timeout_s):
        while not predicate():  # noqa: ASYNC110 - what changes it knows nothing of the test
            await asyncio.sleep(0.01)
