"""Engines that classify face crops, behind one Protocol."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Engine(Protocol):
    """A model that is ready to classify face crops."""

    name: str
    max_batch: int
    """Maximum number of crops in one call of classify."""

    instances: int
    """Number of batches that it processes concurrently; as many threads call classify at once."""

    is_batch_invariant: bool
    """Whether the probabilities of a crop are the same, to the last bit, in every batch."""

    def warm(self) -> None:
        """Compile and run every batch size that will be used, so that no frame waits for that."""

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities (n, 8) of crops, in the order of the card's labels.

        `crops` is (n, size, size, 3), from worker.inference.crop.preprocess; n is 1 to max_batch.
        """


def probabilities(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return the softmax of logits (n, classes) / the card's temperature (Guo et al., 2017)."""
    scaled = logits.astype(np.float32) / np.float32(temperature)
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    result: NDArray[np.float32] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return result
