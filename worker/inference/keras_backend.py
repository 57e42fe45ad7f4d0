"""Keras' backends: which GPUs they see, and how they compile a function ahead of time."""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, TypeAlias

# A backend reads these when it is imported. They make it allocate GPU memory on demand, not all of
# it at once.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
# Without a home folder, Keras would make a folder named ~ in the current one for its settings.
if os.path.expanduser("~") == "~":  # noqa: PTH111 - pathlib raises RuntimeError
    os.environ.setdefault("KERAS_HOME", f"{os.devnull}/keras")

import keras
import numpy as np
from numpy.typing import NDArray

from worker.inference.engines.choose import EngineUnavailableError

Tensor: TypeAlias = Any
"""A tensor of the backend."""

Compiled: TypeAlias = Callable[..., NDArray[np.float32]]
"""Takes and returns NumPy arrays."""

Graph: TypeAlias = Callable[..., Tensor]
"""Takes tensors, computes with keras.ops and returns a tensor. A backend calls it once, when it
traces the graph."""


class Backend(Protocol):
    """What differs between Keras' backends."""

    def gpus(self) -> int:
        """Return the number of GPUs that the backend uses."""

    def compile(self, graph: Graph, *examples: NDArray[Any]) -> Compiled:
        """Compile `graph` for inputs of these shapes and dtypes, and of no others."""

    def compile_model(self, graph: Graph, model: keras.Model, *examples: NDArray[Any]) -> Compiled:
        """Compile `graph`, whose first argument is the model's function, and then the inputs."""


def open_backend(threads: int) -> Backend:
    """Return the backend that KERAS_BACKEND names; `threads` are for its CPU operations.

    Raises EngineUnavailableError for any backend but TensorFlow and JAX.
    """
    name = keras.backend.backend()
    if name == "tensorflow":
        return _TensorFlow(threads)
    if name == "jax":
        return _Jax(threads)
    raise EngineUnavailableError(
        f"engine keras cannot run on KERAS_BACKEND={name}: "
        "set KERAS_BACKEND=tensorflow or jax, or install MNN and take --engine mnn"
    )


class _TensorFlow:
    def __init__(self, threads: int) -> None:
        import tensorflow as tf

        self._tf = tf
        with suppress(RuntimeError):  # TensorFlow has computed before, and keeps its threads
            tf.config.threading.set_intra_op_parallelism_threads(threads)

    def gpus(self) -> int:
        return len(self._tf.config.list_physical_devices("GPU"))

    def compile(self, graph: Graph, *examples: NDArray[Any]) -> Compiled:
        """Compile with XLA: 5 % faster on a CPU, for three more seconds of compilation."""
        tf = self._tf
        step = tf.function(
            graph,
            input_signature=[tf.TensorSpec(example.shape, example.dtype) for example in examples],
            jit_compile=True,
            autograph=False,
        ).get_concrete_function()
        return lambda *arrays: np.asarray(step(*map(tf.constant, arrays)).numpy(), np.float32)

    def compile_model(self, graph: Graph, model: keras.Model, *examples: NDArray[Any]) -> Compiled:
        return self.compile(
            lambda *inputs: graph(lambda x: model(x, training=False), *inputs), *examples
        )


class _Jax:
    def __init__(self, threads: int) -> None:  # noqa: ARG002 - XLA takes the process' cores
        import jax

        self._jax = jax

    def gpus(self) -> int:
        return sum(device.platform == "gpu" for device in self._jax.devices())

    def compile(self, graph: Graph, *examples: NDArray[Any]) -> Compiled:
        """Compile ahead of time: the function refuses another shape instead of tracing it."""
        compiled = self._jax.jit(graph).lower(*examples).compile()
        return lambda *arrays: np.asarray(compiled(*arrays), np.float32)

    def compile_model(self, graph: Graph, model: keras.Model, *examples: NDArray[Any]) -> Compiled:
        # The weights are arguments. As constants they would be copied for every bucket.
        weights = (
            [variable.value for variable in model.trainable_variables],
            [variable.value for variable in model.non_trainable_variables],
        )

        def step(weights: Any, *inputs: Tensor) -> Tensor:
            return graph(lambda x: model.stateless_call(*weights, x, training=False)[0], *inputs)

        compiled = self._jax.jit(step).lower(weights, *examples).compile()
        return lambda *arrays: np.asarray(compiled(weights, *arrays), np.float32)
