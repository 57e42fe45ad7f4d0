"""A worker context whose detector and engine cost nothing, for tests of everything around them."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from emotion_streams.emotions import EMOTIONS
from emotion_streams.events import Model
from emotion_streams.faces import Box
from service.metrics import WorkerMetrics
from tests.servers import PATIENCE_S
from worker.context import RedisClock, WorkerContext
from worker.inference.batcher import Batcher
from worker.inference.decode import UnusablePictureError
from worker.inference.detect import Detection
from worker.inference.detection import (
    BatchedDetection,
    DetectionStage,
    FrameThreads,
    ThreadedDetection,
)
from worker.inference.faces import DetectedFaces, FaceCropper
from worker.inference.permits import InFlightLimiter
from worker.inference.pipeline import FramePipeline
from worker.model.release import load
from worker.tracking import Sighting


class OneFace:
    """Finds a face in every picture but b"bad"; `before` runs first, in the thread."""

    detector = "stub"

    def __init__(self, before: Callable[[bytes], object] = lambda _: None) -> None:
        self.before = before

    def run(self, jpeg: bytes, *, exact: bool = False) -> DetectedFaces:
        self.before(jpeg)
        if jpeg == b"bad":
            raise UnusablePictureError("bad")
        face = Detection(Box(1, 2, 3, 4), 0.9)
        crops = np.zeros((1, 8, 8, 3), np.uint8)
        return DetectedFaces(64, 48, (face,), crops, 0.001, 0.001, (Sighting(face.box, 0.9),))


class Indifferent:
    """Finds all emotions equally likely, once its gate is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()

    name = "stub"
    is_batch_invariant = True
    max_batch = 8
    instances = 1

    def warm(self) -> None:
        pass

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert self.gate.wait(PATIENCE_S)
        return np.full((len(crops), len(EMOTIONS)), 1 / len(EMOTIONS), np.float32)


class People(OneFace):
    """Finds as many people side by side as the picture has bytes; the crop of person n is all n."""

    def run(self, jpeg: bytes, *, exact: bool = False) -> DetectedFaces:
        boxes = [Box(100.0 * n, 50, 60, 60) for n in range(len(jpeg))]
        crops = np.zeros((len(boxes), 8, 8, 3), np.uint8)
        crops += np.arange(1, len(boxes) + 1, dtype=np.uint8)[:, np.newaxis, np.newaxis, np.newaxis]
        faces = tuple(Detection(box, 0.9) for box in boxes)
        sightings = tuple(Sighting(box, 0.9) for box in boxes)
        return DetectedFaces(640, 480, faces, crops, 0.001, 0.001, sightings)


class Happier(Indifferent):
    """Finds happiness, a little more in each batch; `batches` has the first pixels of the crops."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[int]] = []

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.batches.append(crops[:, 0, 0, 0].tolist())
        share = 0.8 + len(self.batches) / 1000
        rows = super().classify(crops)
        rows[:] = (1 - share) / (len(EMOTIONS) - 1)
        rows[:, EMOTIONS.index("happiness")] = share
        return rows


class Brightest:
    """A detector in batches: finds a face, as wide as the picture's first pixel is blue."""

    name = "yunet"
    max_batch = 4
    instances = 1

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[list[int]] = []

    def warm(self) -> None:
        pass

    def prepare(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
        return image[np.newaxis], 1.0

    def candidates(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        assert self.gate.wait(PATIENCE_S)
        self.batches.append([int(group[0, 0, 0, 0]) for group in pictures])
        return np.array(self.batches[-1], np.float32)[:, np.newaxis]

    def faces(self, candidates: NDArray[np.float32], scale: float) -> list[Detection]:
        return [Detection(Box(0, 0, float(candidates[0]), 10), 0.9)]


@contextmanager
def stub_context(
    finder: OneFace | None = None,
    in_flight: int = 4,
    engine: Indifferent | None = None,
    registry: CollectorRegistry | None = None,
    threads: int = 4,
    detector: Brightest | None = None,
    reuse_ms: int = 0,
) -> Iterator[WorkerContext]:
    """To be made inside of a running loop; its runners are still to be run."""
    metrics = WorkerMetrics(registry or CollectorRegistry())
    with (
        ThreadPoolExecutor(threads) as pool,
        ThreadPoolExecutor(1) as engine_thread,
        ThreadPoolExecutor(1) as detector_thread,
    ):
        batcher = Batcher(cast("Any", engine or Indifferent()), engine_thread, metrics)
        clock = RedisClock()
        frame_threads = FrameThreads(pool, metrics)
        detection: DetectionStage = ThreadedDetection(finder or OneFace(), frame_threads)
        if detector:
            cropper = FaceCropper(load().card, detector.name)
            detection = BatchedDetection(detector, cropper, frame_threads, detector_thread, metrics)
        yield WorkerContext(
            pipeline=FramePipeline(detection, batcher, EMOTIONS, clock.now_ms),
            clock=clock,
            model=Model("stub", "1", "stub"),
            limiter=InFlightLimiter(in_flight, in_flight),
            metrics=metrics,
            reuse_ms=reuse_ms,
        )


async def until(predicate: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
    """Wait, as tests.servers.eventually does, while the loop goes on."""
    async with asyncio.timeout(timeout_s):
        while not predicate():  # noqa: ASYNC110 - what changes it knows nothing of the test
            await asyncio.sleep(0.01)
