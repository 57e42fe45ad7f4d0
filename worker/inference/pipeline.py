"""The stages of a frame, from its JPEG to the probabilities of its faces."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from emotion_streams.emotions import EMOTIONS
from emotion_streams.frames import Frame
from service.metrics import WorkerMetrics
from worker.inference.batch import Batcher, Classified
from worker.inference.faces import DetectedFaces, FaceDetectionStage
from worker.inference.permits import CrowdLimiter, Permit


@dataclass(frozen=True)
class AnalysedFrame:
    """What the stages found in a frame.

    The columns of `classified` are EMOTIONS. `began_ms`, `ended_ms`: when the stages began and
    ended, by the clock of `frame.captured_ms`.
    """

    frame_id: str
    frame: Frame
    faces: DetectedFaces
    classified: Classified
    began_ms: float
    ended_ms: float


class FramePipeline:
    """Runs the stages of frames of all cameras, many frames at a time.

    `threads` run decoding and detection. `labels` name the engine's outputs in order. `clock_ms` is
    the clock of the frames' capture times.
    """

    def __init__(
        self,
        detection: FaceDetectionStage,
        threads: Executor,
        batcher: Batcher,
        labels: Sequence[str],
        metrics: WorkerMetrics,
        clock_ms: Callable[[], float],
    ) -> None:
        self._detection = detection
        self._threads = threads
        self._batcher = batcher
        self._columns = [labels.index(emotion) for emotion in EMOTIONS]
        self._metrics = metrics
        self._clock_ms = clock_ms

    async def analyse(
        self, camera: str, frame_id: str, frame: Frame, permit: Permit, crowds: CrowdLimiter
    ) -> AnalysedFrame:
        """Decode a frame, detect, crop and classify its faces.

        Publishing follows in the order of the frames (CameraPipeline). Raises UnusablePictureError.
        """
        permit.camera, permit.frame_id = camera, frame_id
        began_ms = self._clock_ms()
        faces = await self._detect(frame.jpeg, permit)
        with crowds.admit(len(faces.crops)):
            await permit.wait_for_engine(len(faces.crops))
            classified = await self._classify(camera, faces.crops, frame_id)
        return AnalysedFrame(frame_id, frame, faces, classified, began_ms, self._clock_ms())

    async def _classify(self, camera: str, crops: NDArray[np.uint8], frame_id: str) -> Classified:
        if not len(crops):
            return Classified(np.empty((0, len(EMOTIONS)), np.float32), 0.0)
        classified = await self._batcher.classify(camera, crops, frame_id)
        return replace(classified, probabilities=classified.probabilities[:, self._columns])

    async def _detect(self, jpeg: bytes, permit: Permit) -> DetectedFaces:
        """Decode, detect and crop in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._detect_now, jpeg, permit)

    def _detect_now(self, jpeg: bytes, permit: Permit) -> DetectedFaces:
        permit.enter_thread()
        began = time.perf_counter()
        try:
            return self._detection.run(jpeg)
        finally:
            self._metrics.threads_busy.inc((time.perf_counter() - began) / permit.threads)
