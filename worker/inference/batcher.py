"""Gives batches of face crops to the engine."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.metrics import WorkerMetrics
from worker.inference.batch import BatchedModel, BatchRunner
from worker.inference.engines import Engine


@dataclass(frozen=True)
class Classified:
    """Probabilities (faces, labels), and how many seconds the engine worked on them."""

    probabilities: NDArray[np.float32]
    seconds: float


class Batcher(BatchRunner):
    """Gives batches of face crops to the engine."""

    def __init__(self, engine: Engine, executor: Executor, metrics: WorkerMetrics) -> None:
        def classify(crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
            return engine.classify(crops[0] if len(crops) == 1 else np.concatenate(crops))

        def observe(faces: int, seconds: float) -> None:
            metrics.inference.engine_busy.inc(seconds)
            metrics.inference.batch.observe(faces)

        model = BatchedModel(
            "the engine",
            classify,
            engine.max_batch,
            engine.instances,
            engine.is_batch_invariant,
        )
        super().__init__(model, executor, observe)

    async def classify(
        self,
        camera: str,
        crops: NDArray[np.uint8],
        frame_id: str = "",
        *,
        exact: bool = False,
        is_new: bool = False,
    ) -> Classified:
        """Return the probabilities of crops (faces, size, size, 3), at once if there is no face.

        The other arguments are those of submit(). Raises what the engine raises.
        """
        if not len(crops):
            return Classified(np.empty((0, 0), np.float32), 0.0)
        result = await self.submit(camera, crops, frame_id, exact=exact, is_new=is_new)
        return Classified(result.rows, result.seconds)
