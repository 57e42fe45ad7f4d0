"""SimpNet V2 in Keras: for GPUs, and the reference for every other engine.

One compiled function per bucket of batch sizes; crops go in as bytes and probabilities come out,
so that a GPU is sent a quarter of what floats would be, and asked once.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeAlias

# Both are read when a backend is imported: take a GPU's memory as it is needed, not all of it.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import keras
import numpy as np
from numpy.typing import NDArray

from worker.inference.engines.choose import EngineUnavailableError
from worker.model import simpnet
from worker.model.keras_weights import import_weights
from worker.model.release import Release

MAX_BATCH_CPU: Final = 16
MAX_BATCH_GPU: Final = 64
"""Each doubling is one more function to compile before the worker is ready."""

GPU_POLICY: Final = "mixed_float16"
"""What every GPU since Volta multiplies fastest, and eight times as exact as bfloat16. Logits and
softmax stay float32."""

Compiled: TypeAlias = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
Graph: TypeAlias = Callable[[Callable[[Any], Any], Any], Any]
"""From a function that gives logits of pictures, and crops, to probabilities; of a backend's
own tensors."""


class KerasEngine:
    """Keras on TensorFlow or JAX, as KERAS_BACKEND says.

    Raises EngineUnavailableError on another. `policy` is Keras' dtype policy; without, half
    precision on a GPU and float32 elsewhere. `traces` counts how often the model was traced: once
    per bucket, all of them in warm().
    """

    name = "keras"

    def __init__(self, release: Release, threads: int, policy: str | None = None) -> None:
        self._backend = _backend(threads)
        self.on_gpu = self._backend.gpus() > 0
        self.max_batch = MAX_BATCH_GPU if self.on_gpu else MAX_BATCH_CPU
        # On a GPU one batch travels while another is worked on; a CPU has nothing to overlap.
        self.lanes = 2 if self.on_gpu else 1
        self.traces = 0
        self._card = release.card
        self._compiled: dict[int, Compiled] = {}
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy or (GPU_POLICY if self.on_gpu else "float32"))
        try:
            self._model = simpnet.build(len(release.card.labels), release.card.input_size)
        finally:
            keras.config.set_dtype_policy(before)
        import_weights(self._model, release.weights)

    @property
    def buckets(self) -> tuple[int, ...]:
        """Batches are padded to the next power of two, so that few shapes are ever compiled."""
        return tuple(2**n for n in range(self.max_batch.bit_length()))

    def warm(self) -> None:
        """Compile every bucket, and run it once."""
        side = self._card.input_size
        for bucket in self.buckets:
            self.classify(np.zeros((bucket, side, side, 3), np.uint8))

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """As in Engine."""
        count = len(crops)
        bucket = 1 << (count - 1).bit_length()
        if bucket not in self._compiled:
            shape = (bucket, *crops.shape[1:])
            self._compiled[bucket] = self._backend.compile(self._probabilities, self._model, shape)
        if bucket > count:
            padded = np.zeros((bucket, *crops.shape[1:]), np.uint8)
            padded[:count] = crops
            crops = padded
        return self._compiled[bucket](crops)[:count]

    def _probabilities(self, logits_of: Callable[[Any], Any], crops: Any) -> Any:
        """The whole graph, from uint8 crops to float32 probabilities; run while it is traced."""
        self.traces += 1
        pictures = keras.ops.cast(crops, "float32") / 255.0
        logits = keras.ops.cast(logits_of(pictures), "float32")
        return keras.ops.softmax(logits / self._card.temperature)


class _TensorFlow:
    def __init__(self, threads: int) -> None:
        import tensorflow as tf

        self._tf = tf
        with suppress(RuntimeError):  # it computed before, and keeps the threads that it has
            tf.config.threading.set_intra_op_parallelism_threads(threads)

    def gpus(self) -> int:
        return len(self._tf.config.list_physical_devices("GPU"))

    def compile(self, graph: Graph, model: keras.Model, shape: tuple[int, ...]) -> Compiled:
        """With XLA: on a CPU 5 % faster, for three seconds more of compiling."""
        step = self._tf.function(
            lambda crops: graph(lambda x: model(x, training=False), crops),
            input_signature=[self._tf.TensorSpec(shape, self._tf.uint8)],
            jit_compile=True,
            autograph=False,
        ).get_concrete_function()
        return lambda crops: np.asarray(step(self._tf.constant(crops)).numpy(), np.float32)


class _Jax:
    def __init__(self, threads: int) -> None:  # noqa: ARG002 - XLA takes the process' cores
        import jax

        self._jax = jax

    def gpus(self) -> int:
        return sum(device.platform == "gpu" for device in self._jax.devices())

    def compile(self, graph: Graph, model: keras.Model, shape: tuple[int, ...]) -> Compiled:
        """Ahead of time: another shape is refused, never traced."""
        # Arguments rather than constants: every bucket would hold the weights once more.
        weights = (
            [variable.value for variable in model.trainable_variables],
            [variable.value for variable in model.non_trainable_variables],
        )

        def step(weights: Any, crops: Any) -> Any:
            return graph(lambda x: model.stateless_call(*weights, x, training=False)[0], crops)

        example: Any = np.zeros(shape, np.uint8)
        compiled = self._jax.jit(step).lower(weights, example).compile()
        return lambda crops: np.asarray(compiled(weights, crops), np.float32)


def _backend(threads: int) -> _TensorFlow | _Jax:
    name = keras.backend.backend()
    if name == "tensorflow":
        return _TensorFlow(threads)
    if name == "jax":
        return _Jax(threads)
    raise EngineUnavailableError(
        f"engine keras cannot run on KERAS_BACKEND={name}: "
        "set KERAS_BACKEND=tensorflow or jax, or install MNN and take --engine mnn"
    )
