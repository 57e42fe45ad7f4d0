"""SimpNet V2 in Keras: for GPUs, and the reference for every other engine.

There is one compiled function per bucket of batch sizes. It takes crops as bytes and returns
probabilities, so that a GPU gets a quarter of the data that floats would be, in one call.
"""

from collections.abc import Callable
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from worker.inference.keras_backend import Compiled, open_backend
from worker.model import simpnet
from worker.model.keras_weights import import_weights
from worker.model.release import Release

MAX_BATCH_CPU: Final = 16
MAX_BATCH_GPU: Final = 64
"""Each doubling adds a function to compile before the worker is ready."""

GPU_POLICY: Final = "mixed_float16"
"""Half precision: every GPU since Volta multiplies it fastest, and it is eight times as precise as
bfloat16. Logits and softmax stay in float32."""


class KerasEngine:
    """Keras on TensorFlow or JAX, as KERAS_BACKEND says.

    Raises EngineUnavailableError for any other backend. `policy` is Keras' dtype policy; by default
    it is half precision on a GPU, else float32. `traces` counts how often the model was
    traced: once per bucket, all of them in warm().
    """

    name = "keras"
    is_batch_invariant = False

    def __init__(self, release: Release, threads: int, policy: str | None = None) -> None:
        self._backend = open_backend(threads)
        self.on_gpu = self._backend.gpus() > 0
        self.max_batch = MAX_BATCH_GPU if self.on_gpu else MAX_BATCH_CPU
        # On a GPU, one batch is transferred while another is processed. A CPU has no such overlap.
        self.instances = 2 if self.on_gpu else 1
        self.traces = 0
        self._card = release.card
        self._compiled: dict[int, Compiled] = {}
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy or (GPU_POLICY if self.on_gpu else "float32"))
        try:
            self._model = simpnet.build(
                len(release.card.labels), release.card.input_size, blocks=release.card.blocks
            )
        finally:
            keras.config.set_dtype_policy(before)
        import_weights(self._model, release.weights)

    @property
    def buckets(self) -> tuple[int, ...]:
        """Batch sizes that are compiled: powers of two. Batches are padded to the next one."""
        return tuple(2**n for n in range(self.max_batch.bit_length()))

    def warm(self) -> None:
        """Compile the function of every bucket, and run it once."""
        side = self._card.input_size
        for bucket in self.buckets:
            self.classify(np.zeros((bucket, side, side, 3), np.uint8))

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities of crops, as Engine.classify describes."""
        count = len(crops)
        bucket = 1 << (count - 1).bit_length()
        if bucket not in self._compiled:
            example = np.zeros((bucket, *crops.shape[1:]), np.uint8)
            self._compiled[bucket] = self._backend.compile_model(
                self._probabilities, self._model, example
            )
        if bucket > count:
            padded = np.zeros((bucket, *crops.shape[1:]), np.uint8)
            padded[:count] = crops
            crops = padded
        return self._compiled[bucket](crops)[:count]

    def _probabilities(self, logits_of: Callable[[Any], Any], crops: Any) -> Any:
        """Compute float32 probabilities from uint8 crops: the whole graph.

        A backend calls this when it traces the graph.
        """
        self.traces += 1
        pictures = keras.ops.cast(crops, "float32") / 255.0
        logits = keras.ops.cast(logits_of(pictures), "float32")
        return keras.ops.softmax(logits / self._card.temperature)
