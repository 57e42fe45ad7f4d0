"""A released model as the teacher of another one (knowledge distillation).

Source: Hinton et al., "Distilling the Knowledge in a Neural Network" (arXiv:1503.02531). The
teacher sees the same augmented and blended picture as the student, as in Beyer et al., "Knowledge
distillation: A good teacher is patient and consistent" (arXiv:2106.05237).
"""

import numpy as np
from numpy.typing import NDArray

from training.run_config import RunConfig
from worker.inference.engines.choose import build_engine
from worker.model.card import ModelCard
from worker.model.release import Release, load


class Teacher:
    """A release, in the fastest engine of this machine. Any number of threads may use it.

    `shift`, float32 (8,), is what the loss adds to the student's logits. The teacher's
    probabilities are shifted alike, so that the student learns them as they are. Raises
    InvalidReleaseError and EngineUnavailableError.
    """

    def __init__(self, model: Release, shift: NDArray[np.float32], threads: int) -> None:
        self._engine = build_engine("auto", model, threads)
        self._shift = np.exp(shift)
        self.card: ModelCard = model.card

    def targets(self, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the targets (n, 8), which sum to 1, of pictures (n, side, side, 3), 0 to 1."""
        crops = np.rint(pictures * 255).astype(np.uint8)
        most = self._engine.max_batch
        parts = [
            self._engine.classify(crops[first : first + most])
            for first in range(0, len(crops), most)
        ]
        shifted = np.concatenate(parts) * self._shift
        targets: NDArray[np.float32] = shifted / shifted.sum(axis=1, keepdims=True)
        return targets


def open_teacher(config: RunConfig, shift: NDArray[np.float32], threads: int) -> Teacher | None:
    """Return the teacher of a run, None if it has none. Raises the errors of Teacher."""
    return Teacher(load(config.teacher), shift, threads) if config.teacher else None
