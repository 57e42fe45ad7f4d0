"""SimpNet V2 in Keras: for GPUs, and the reference for every other engine."""

from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray

from worker.engines import probabilities
from worker.model import simpnet
from worker.model.keras_weights import import_weights
from worker.model.release import Release

BUCKETS: Final = (1, 2, 4, 8, 16, 32)
"""Batches are padded to one of these, so that few shapes are ever compiled."""


class KerasEngine:
    """Keras on whatever backend KERAS_BACKEND names."""

    name = "keras"
    max_batch = BUCKETS[-1]

    def __init__(self, release: Release) -> None:
        self._card = release.card
        self._model = simpnet.build(len(release.card.labels), release.card.input_size)
        import_weights(self._model, release.weights)

    def warm(self) -> None:
        """Compile every bucket."""
        size = self._card.input_size
        for bucket in BUCKETS:
            self.classify(np.zeros((bucket, size, size, 3), np.uint8))

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """As in Engine."""
        count = len(crops)
        bucket = next(size for size in BUCKETS if size >= count)
        batch = np.zeros((bucket, *crops.shape[1:]), np.float32)
        np.divide(crops, 255, out=batch[:count])
        logits = keras.ops.convert_to_numpy(self._model.predict_on_batch(batch))
        return probabilities(logits[:count], self._card.temperature)
