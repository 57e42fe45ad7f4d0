"""The first stages of a frame: decode the picture, detect faces, crop them.

A detector of the CPU does it in one call in a thread. A detector of the GPU takes pictures of all
cameras in batches; decoding and cropping are in threads all the same.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.metrics import WorkerMetrics
from worker.inference.batch import BatchedModel, BatchRunner
from worker.inference.batch_queue import BatchResult
from worker.inference.decode import decode
from worker.inference.detect import BatchDetector
from worker.inference.faces import DetectedFaces, FaceCropper
from worker.inference.permits import Permit

T = TypeVar("T")


class DetectionStage(Protocol):
    """Finds the faces of frames, many frames at a time."""

    detector: str
    """The detector's name, as in Detector."""

    in_batches: int
    """Frames that fill its batches, beside those in threads."""

    runners: tuple[BatchRunner, ...]
    """What has to run meanwhile, and is watched for batches that hang."""

    async def warm(self) -> None:
        """Do what takes long before the first frame."""

    async def detect(self, jpeg: bytes, permit: Permit, *, exact: bool = False) -> DetectedFaces:
        """Decode a picture, detect faces and crop them.

        `permit` says whose frame it is, and records when a thread is at work on it. `exact`: the
        result must follow from the picture alone. Raises UnusablePictureError.
        """


class OneCall(Protocol):
    """Decodes, detects and crops in one call, from any thread."""

    detector: str
    """The detector's name."""

    def run(self, jpeg: bytes, *, exact: bool = False) -> DetectedFaces:
        """Return the faces of a picture. Raises UnusablePictureError.

        `exact` is that of DetectionStage.detect.
        """


class FrameThreads:
    """The threads in which frames are decoded, detected and cropped."""

    def __init__(self, executor: Executor, metrics: WorkerMetrics) -> None:
        self._executor = executor
        self._metrics = metrics

    async def run(self, permit: Permit, work: Callable[[], T]) -> T:
        """Return the result of `work`, or raise its error."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._run_now, permit, work)

    def _run_now(self, permit: Permit, work: Callable[[], T]) -> T:
        permit.enter_thread()
        began = time.perf_counter()
        try:
            return work()
        finally:
            self._metrics.inference.threads_busy.inc((time.perf_counter() - began) / permit.threads)


class ThreadedDetection:
    """Detection in threads, a frame in each."""

    in_batches = 0
    runners: tuple[BatchRunner, ...] = ()

    def __init__(self, stage: OneCall, threads: FrameThreads) -> None:
        self.detector = stage.detector
        self._stage = stage
        self._threads = threads

    async def warm(self) -> None:
        """Do nothing: each thread makes its detector at its first frame."""

    async def detect(self, jpeg: bytes, permit: Permit, *, exact: bool = False) -> DetectedFaces:
        """Do it all in one thread, as DetectionStage.detect describes."""
        return await self._threads.run(permit, partial(self._stage.run, jpeg, exact=exact))


@dataclass(frozen=True)
class _Decoded:
    """A picture, what the detector gets of it, and how long that took in seconds."""

    image: NDArray[np.uint8]
    prepared: NDArray[np.uint8]
    scale: float
    decode_s: float
    prepare_s: float


class BatchedDetection:
    """Detection in batches across cameras.

    While a picture waits for its batch, its thread decodes other frames.
    """

    def __init__(
        self,
        detector: BatchDetector,
        cropper: FaceCropper,
        threads: FrameThreads,
        executor: Executor,
        metrics: WorkerMetrics,
    ) -> None:
        """`executor` has one thread for each instance of the detector."""
        self.detector = detector.name
        self.in_batches = detector.instances * detector.max_batch
        self._detector = detector
        self._executor = executor
        self._cropper = cropper
        self._threads = threads
        model = BatchedModel(
            "the detector", detector.candidates, detector.max_batch, detector.instances
        )
        self._batches = BatchRunner(
            model, executor, lambda _, seconds: metrics.inference.detector_busy.inc(seconds)
        )
        self.runners: tuple[BatchRunner, ...] = (self._batches,)

    async def warm(self) -> None:
        """Compile the detector's functions in one of its threads."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._detector.warm)

    async def detect(self, jpeg: bytes, permit: Permit, *, exact: bool = False) -> DetectedFaces:
        """Decode in a thread, detect in a batch, crop in a thread."""
        decoded = await self._threads.run(permit, partial(self._decode, jpeg))
        permit.release_thread()
        result = await self._batches.submit(
            permit.camera, decoded.prepared, permit.frame_id, exact=exact
        )
        return await self._threads.run(permit, partial(self._crop, decoded, result))

    def _decode(self, jpeg: bytes) -> _Decoded:
        began = time.perf_counter()
        image = decode(jpeg)
        decoded = time.perf_counter()
        prepared, scale = self._detector.prepare(image)
        ended = time.perf_counter()
        return _Decoded(image, prepared, scale, decoded - began, ended - decoded)

    def _crop(self, decoded: _Decoded, result: BatchResult) -> DetectedFaces:
        began = time.perf_counter()
        faces = self._detector.faces(result.rows[0], decoded.scale)
        detect_s = decoded.prepare_s + result.seconds + time.perf_counter() - began
        return self._cropper.crop(decoded.image, faces, decoded.decode_s, detect_s)
