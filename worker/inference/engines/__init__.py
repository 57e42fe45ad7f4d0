"""Engines that classify face crops, behind one Protocol."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Engine(Protocol):
    """A built model."""

    name: str
    max_batch: int
    """More crops than this are never given at once."""

    lanes: int
    """Batches that it works on side by side: classify is called by so many threads at once."""

    def warm(self) -> None:
        """Compile and run every batch size that will be asked for, so that no frame waits."""

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities (n, 8) in the order of the card's labels, of crops (n, size, size, 3) as
        worker.inference.crop.prepare gives them; n from 1 to max_batch."""


def probabilities(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Softmax of logits (n, classes) divided by the card's temperature (Guo et al., 2017)."""
    scaled = logits.astype(np.float32) / np.float32(temperature)
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    result: NDArray[np.float32] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return result
