"""SimpNet V2 in MNN: the fastest engine on a CPU in float32, with Winograd convolutions.

The graph is built from the released weights with MNN's own expressions, with batch norms folded in.
It needs neither ONNX nor TensorFlow.
"""

import ctypes
import os
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from worker.inference.engines import probabilities
from worker.inference.quiet import quiet_stdout
from worker.model.release import Array, FoldedConvolution, Release, fold

with quiet_stdout():  # it says there what the CPU supports
    import MNN
    from MNN import expr, nn

MAX_INSTANCES: Final = 4
"""Each instance has its own weights, 120 MB. Beyond four, instances get more threads instead."""

_BATCH_PIXELS: Final = 4 * 64 * 64
_MAX_BATCH: Final = 8
"""On a CPU, larger batches are not faster, delay the first face, and take memory."""

_TILED_FOR: Final = 32
"""Side in pixels for which MNN chooses the tiles of Winograd's algorithm when it creates a session.
Tiles for larger faces are up to a tenth faster, and take 50 % more memory."""


class MnnEngine:
    """MNN on the CPU, with `threads` threads in total, spread over instances.

    Several instances of one thread are faster than one instance of many threads. A batch that is
    split over threads waits for the slowest thread at every layer, and decoding and detection
    always slow one of them down.
    """

    name = "mnn"
    is_batch_invariant = False

    def __init__(self, release: Release, threads: int) -> None:
        self._card = release.card
        self.max_batch = max(1, min(_MAX_BATCH, _BATCH_PIXELS // release.card.input_size**2))
        self.instances = min(threads, MAX_INSTANCES)
        self._idle: queue.SimpleQueue[_Instance] = queue.SimpleQueue()
        for interpreter, session in open_sessions(release, threads, self.instances):
            self._idle.put(_Instance(interpreter, session))

    def warm(self) -> None:
        """Run the largest batch in every instance, so that its buffers are allocated."""
        side = self._card.input_size
        crops = np.zeros((self.max_batch, side, side, 3), np.uint8)
        for _ in range(self.instances):  # the queue returns the instances in turn
            self.classify(crops)
        _give_back_memory()

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities of crops, as Engine.classify describes."""
        pictures = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32)
        pictures *= np.float32(1 / 255)
        instance = self._idle.get()
        try:
            logits = instance.run(pictures)
        finally:
            self._idle.put(instance)
        return probabilities(logits, self._card.temperature)


def open_sessions(release: Release, threads: int, instances: int) -> list[tuple[Any, Any]]:
    """Create an interpreter and its session for each instance; `threads` are spread over them.

    Each instance has its own interpreter, because sessions of one interpreter share its lock and
    compute in turn. It is not a module of MNN's nn, because that holds the GIL while it computes.
    """
    with quiet_stdout(), _memory_file() as path:  # each session says its precision
        expr.save([_graph(release)], path)
        # The last instances get the threads that remain.
        return [
            open_session(path, (threads + instance) // instances) for instance in range(instances)
        ]


def open_session(path: str, threads: int) -> tuple[Any, Any]:
    """Create an interpreter and its session, which computes in `threads` threads."""
    interpreter = MNN.Interpreter(path)
    # "high" computes in float32. The default may use a lower precision on CPUs that support it.
    return interpreter, interpreter.createSession(
        {"backend": "CPU", "numThread": threads, "precision": "high"}
    )


class _Instance:
    """A session, which one thread uses at a time."""

    def __init__(self, interpreter: Any, session: Any) -> None:
        self._interpreter = interpreter
        self._session = session
        self._input = interpreter.getSessionInput(session)
        self._shape: tuple[int, ...] = ()

    def run(self, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the logits (n, 8) of pictures (n, 3, size, size), 0 to 1."""
        if pictures.shape != self._shape:  # a resize takes 0.2 ms
            self._interpreter.resizeTensor(self._input, pictures.shape)
            self._interpreter.resizeSession(self._session)
            self._shape = pictures.shape
        self._input.copyFrom(_tensor(pictures))
        self._interpreter.runSession(self._session)
        output = self._interpreter.getSessionOutput(self._session)
        logits = np.empty(output.getShape(), np.float32)
        answer = _tensor(logits)
        output.copyToHostTensor(answer)
        return np.array(answer.getNumpyData(), np.float32).reshape(logits.shape)


@contextmanager
def _memory_file() -> Iterator[str]:
    """Create a file in memory and return its path, because MNN accepts only paths.

    However the process ends, no part of the file remains.
    """
    descriptor = os.memfd_create("simpnet.mnn")
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _tensor(values: NDArray[np.float32]) -> Any:
    return MNN.Tensor(values.shape, MNN.Halide_Type_Float, values, MNN.Tensor_DimensionType_Caffe)


def _give_back_memory() -> None:
    """Return freed memory to the system.

    Building the graph leaves 40 MB of free fragments, which glibc would keep.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)


def _graph(release: Release) -> Any:
    size = min(release.card.input_size, _TILED_FOR)
    picture = expr.placeholder([1, 3, size, size], expr.NCHW)
    picture.name = "picture"
    x = expr.convert(picture, expr.NC4HW4)
    for block, folded in zip(release.card.blocks, fold(release.weights), strict=True):
        x = _convolution(folded, block.padding == "same")(x)
        if block.pool == "before_activation":
            x = expr.max_pool(x, [2, 2], [2, 2])
        x = expr.relu(x)
        if block.pool == "after_dropout":
            x = expr.max_pool(x, [2, 2], [2, 2])
    x = expr.reduce_max(expr.convert(x, expr.NCHW), [2, 3], False)
    x = expr.matmul(x, _constant(release.weights["dense/kernel"]))
    logits = expr.add(x, _constant(release.weights["dense/bias"]))
    logits.name = "logits"
    return logits


def _convolution(folded: FoldedConvolution, same: bool) -> Any:
    """Build a convolution with constant weights.

    expr.conv2d takes variable weights, and therefore never chooses Winograd.
    """
    inputs, outputs = folded.kernel.shape[2:]
    layer = nn.conv(inputs, outputs, [3, 3], padding_mode=expr.SAME if same else expr.VALID)
    # The bias comes first. For a wrong order MNN only prints a message, and keeps random weights.
    parameters = [_constant(folded.bias), _constant(folded.kernel.transpose(3, 2, 0, 1))]
    if not layer.load_parameters(parameters):
        raise RuntimeError("MNN refused the weights of a convolution")
    layer.train(False)
    return layer


def _constant(values: Array) -> Any:
    return expr.const(
        np.ascontiguousarray(values, np.float32), list(values.shape), expr.NCHW, expr.float
    )
