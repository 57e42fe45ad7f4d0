"""The stages of a frame, from its JPEG to the probabilities of its faces."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotion_streams.emotions import EMOTIONS
from emotion_streams.frames import Frame
from worker.inference.batch import BatchRunner
from worker.inference.batcher import Batcher, Classified
from worker.inference.detection import DetectionStage
from worker.inference.faces import DetectedFaces
from worker.inference.permits import CrowdLimiter, Permit
from worker.tracking.camera_tracker import Reusable, TrackedFrame, Turn


@dataclass(frozen=True)
class ClassifiedFaces:
    """The emotions of a frame's faces.

    `probabilities` is float32 (faces, 8) in the order of EMOTIONS. `classified_ms`: per face, the
    capture time of the earlier frame that its probabilities are from, None if it is this frame.
    `seconds`: how long the engine worked on it.
    """

    probabilities: NDArray[np.float32]
    classified_ms: tuple[int | None, ...]
    seconds: float


@dataclass(frozen=True)
class AnalysedFrame:
    """What the stages found in a frame.

    `began_ms`, `ended_ms`: when the stages began and ended, by the clock of `frame.captured_ms`.
    """

    frame_id: str
    frame: Frame
    faces: DetectedFaces
    tracked: TrackedFrame
    emotions: ClassifiedFaces
    began_ms: float
    ended_ms: float


class FramePipeline:
    """Runs the stages of frames of all cameras, many frames at a time.

    `labels` name the engine's outputs in order. `clock_ms` is the clock of the frames' capture
    times.
    """

    def __init__(
        self,
        detection: DetectionStage,
        batcher: Batcher,
        labels: Sequence[str],
        clock_ms: Callable[[], float],
    ) -> None:
        self._detection = detection
        self._batcher = batcher
        self._columns = [labels.index(emotion) for emotion in EMOTIONS]
        self._clock_ms = clock_ms

    async def run(self) -> None:
        """Form batches until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for runner in self.runners:
                tasks.create_task(runner.run())

    @property
    def runners(self) -> tuple[BatchRunner, ...]:
        """What forms batches of the frames. It is watched for batches that hang."""
        return (self._batcher, *self._detection.runners)

    async def analyse(
        self,
        camera: str,
        frame_id: str,
        frame: Frame,
        permit: Permit,
        crowds: CrowdLimiter,
        turn: Turn,
    ) -> AnalysedFrame:
        """Decode a frame, detect and track its faces, classify them.

        Publishing follows in the order of the frames (CameraPipeline). Raises UnusablePictureError.
        """
        permit.camera, permit.frame_id = camera, frame_id
        began_ms = self._clock_ms()
        # The result of a recording follows from its pictures alone, not from the load.
        is_recording = frame.position_ms is not None
        faces = await self._detection.detect(frame.jpeg, permit, exact=is_recording)
        permit.release_thread()  # the turn may come later, after frames that wait for a thread
        tracked = await turn.associate(frame_id, frame.captured_ms, faces.sightings)
        with crowds.admit(len(faces.crops)):
            await permit.wait_for_engine(len(faces.crops))
            emotions = await self._classify(
                camera, frame_id, faces, turn, tracked, exact=is_recording
            )
        return AnalysedFrame(frame_id, frame, faces, tracked, emotions, began_ms, self._clock_ms())

    async def _classify(
        self,
        camera: str,
        frame_id: str,
        faces: DetectedFaces,
        turn: Turn,
        tracked: TrackedFrame,
        *,
        exact: bool,
    ) -> ClassifiedFaces:
        """Classify the faces.

        While faces wait for the engine, a face is not classified again whose track has a steady
        label and recent probabilities, and frames with a new face, or one whose label is about to
        change, go first. If `exact`, every face is classified.
        """
        count, tracks = len(faces.crops), tracked.association.tracks
        # If nothing waits, none goes first.
        is_new = self._batcher.is_saturated and not all(map(turn.is_settled, tracks))
        reused: list[Reusable | None] = [None] * count
        if self._batcher.is_saturated and not exact:
            captured_ms = tracked.association.captured_ms
            reused = [turn.reusable(track, captured_ms) for track in tracks]
        if not any(reused):
            classified = await self._batcher.classify(
                camera, faces.crops, frame_id, exact=exact, is_new=is_new
            )
            return ClassifiedFaces(self._ordered(classified), (None,) * count, classified.seconds)
        due = [n for n, known in enumerate(reused) if known is None]
        classified = await self._batcher.classify(camera, faces.crops[due], frame_id, is_new=is_new)
        probabilities = np.empty((count, len(EMOTIONS)), np.float32)
        probabilities[due] = self._ordered(classified)
        for n, known in enumerate(reused):
            if known is not None:
                probabilities[n] = known.probabilities
        times = tuple(None if known is None else known.captured_ms for known in reused)
        return ClassifiedFaces(probabilities, times, classified.seconds)

    def _ordered(self, classified: Classified) -> NDArray[np.float32]:
        """Return the probabilities in the order of EMOTIONS."""
        if not len(classified.probabilities):
            return np.empty((0, len(EMOTIONS)), np.float32)
        return classified.probabilities[:, self._columns]
