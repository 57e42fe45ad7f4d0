"""SimpNet V2 in OpenVINO: in int8 the fastest engine on x86-64.

It also runs on Intel's GPUs and NPUs.

The graph is built from the release with OpenVINO's own operations: from its int8 file if it has
one, else from its weights in float32.
"""

import logging
import queue
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13 as ops

from worker.inference.engines import probabilities
from worker.inference.openvino_core import compile_on, cpu_options, open_core
from worker.model.int8 import Int8Weights
from worker.model.release import Release, fold

MAX_INSTANCES: Final = 16
"""Instances share the weights; each takes about 10 MB. Beyond 16 they get more threads instead."""

_BATCH_PIXELS: Final = 4 * 64 * 64
_MAX_BATCH: Final = 8
"""On a CPU, larger batches are not faster, and make the first face wait for the last."""

MAX_BATCH_GPU: Final = 32
_INSTANCES_GPU: Final = 2
"""One batch is transferred while another is processed."""

_LEVELS: Final = 256

log = logging.getLogger(__name__)


class OpenVinoEngine:
    """OpenVINO on a device: the CPU, with `threads` threads, or another device.

    `device` is OpenVINO's name, such as `CPU`, `GPU`, `GPU.1` or `NPU`. On a CPU, instances have
    one thread each, for the same reason as in MnnEngine. `precision` is `int8` or `float32`. Raises
    OpenVinoUnavailableError if this OpenVINO is too old, or has no such device.
    """

    name = "openvino"

    def __init__(self, release: Release, threads: int, device: str = "CPU") -> None:
        core = open_core(device)
        self._card = release.card
        self.is_batch_invariant = device == "CPU"
        self.precision = "int8" if release.int8 else "float32"
        per_batch = _BATCH_PIXELS // release.card.input_size**2
        if device == "CPU":
            self.instances = min(threads, MAX_INSTANCES)
            self.max_batch = max(1, min(_MAX_BATCH, per_batch))
            options = cpu_options(threads, self.instances, "f32")
            # Any number of faces: on a CPU a change of the number costs almost no time.
            self._batches: tuple[int, ...] = ()
        else:
            self.instances = _INSTANCES_GPU
            self.max_batch = MAX_BATCH_GPU
            options = {"PERFORMANCE_HINT": "THROUGHPUT"}
            # A GPU rebuilds its kernels for each number of faces, an NPU accepts only one number.
            self._batches = tuple(2**n for n in range(self.max_batch.bit_length()))
        self._idle: dict[int, queue.SimpleQueue[Any]] = {}
        for batch in self._batches or (0,):
            compiled = compile_on(core, graph(release, batch), device, options)
            self._idle[batch] = queue.SimpleQueue()
            for _ in range(self.instances):
                self._idle[batch].put(compiled.create_infer_request())
        log.info("OpenVINO computes in %s on device %s", self.precision, device)

    def warm(self) -> None:
        """Run one face and the largest batch in every instance, so that buffers are allocated.

        On a device with fixed batch sizes, run each of them.
        """
        side = self._card.input_size
        for count in self._batches or (1, self.max_batch):
            for _ in range(self.instances):  # the queue returns the instances in turn
                self.classify(np.zeros((count, side, side, 3), np.uint8))

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities of crops, as Engine.classify describes."""
        count = len(crops)
        batch = next((size for size in self._batches if size >= count), 0)
        if batch > count:
            padding = np.zeros((batch - count, *crops.shape[1:]), np.uint8)
            crops = np.concatenate([crops, padding])
        idle = self._idle[batch]
        instance = idle.get()
        try:
            instance.infer([np.ascontiguousarray(crops)], share_inputs=True)
            logits = np.array(instance.get_output_tensor(0).data[:count], np.float32)
        finally:
            idle.put(instance)
        return probabilities(logits, self._card.temperature)


def graph(release: Release, batch: int = 0) -> Any:
    """Build the network as an openvino.Model, in int8 if the release has an int8 file.

    It takes uint8 crops (n, size, size, 3) and returns logits (n, 8). n is `batch`, or any number
    if `batch` is 0.
    """
    side = release.card.input_size
    layers = _int8_layers(release.int8) if release.int8 else _float32_layers(release)
    crops = ops.parameter(openvino.PartialShape([batch or -1, side, side, 3]), np.uint8)
    x = ops.multiply(ops.convert(crops, "f32"), np.float32(1 / 255))
    x = layers[0].rounded(ops.transpose(x, np.array([0, 3, 1, 2])))
    for block, layer, following in zip(release.card.blocks, layers[:-1], layers[1:], strict=True):
        border = [1, 1] if block.padding == "same" else [0, 0]
        x = ops.convolution(x, layer.kernel, [1, 1], border, border, [1, 1])
        x = following.rounded(ops.relu(ops.add(x, layer.bias.reshape(1, -1, 1, 1))))
        # Rounding before the pool gives the same result as rounding after it. So the convolution
        # can write bytes, and the pool can read bytes.
        if block.pool != "none":
            x = ops.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)
    x = ops.reduce_max(x, np.array([2, 3]), keep_dims=False)
    logits = ops.add(ops.matmul(x, layers[-1].kernel, False, False), layers[-1].bias.reshape(1, -1))
    return openvino.Model([ops.result(logits)], [crops], "simpnet_v2")


@dataclass(frozen=True)
class _Layer:
    """A layer of the graph.

    `kernel` is a node, (out, in, 3, 3) or (in, out). `range` is the range to which the
    layer's input is rounded, None if it is not rounded.
    """

    kernel: Any
    bias: NDArray[np.float32]
    range: tuple[float, float] | None = None

    def rounded(self, x: Any) -> Any:
        """Round `x` for use as the input of this layer, if it has a range."""
        if self.range is None:
            return x
        low, high = map(np.float32, self.range)
        return ops.fake_quantize(x, low, high, low, high, _LEVELS)


def _float32_layers(release: Release) -> list[_Layer]:
    return [
        *(_Layer(ops.constant(_outputs_first(f.kernel)), f.bias) for f in fold(release.weights)),
        _Layer(ops.constant(release.weights["dense/kernel"]), release.weights["dense/bias"]),
    ]


def _int8_layers(weights: Int8Weights) -> list[_Layer]:
    layers = []
    for layer in weights.values():
        convolution = layer.kernel.ndim == 4
        kernel = _outputs_first(layer.kernel) if convolution else layer.kernel
        scale = layer.scale.reshape((-1, 1, 1, 1) if convolution else (1, -1))
        node = ops.multiply(ops.convert(ops.constant(kernel), "f32"), ops.constant(scale))
        layers.append(_Layer(node, layer.bias, (layer.low, layer.high)))
    return layers


def _outputs_first(kernel: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
