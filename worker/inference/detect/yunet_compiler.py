"""YuNet's network in OpenVINO, compiled for one input size."""

import queue
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.inference.detect.yunet_decode import OUTPUTS
from worker.inference.devices import has_bfloat16
from worker.inference.openvino_core import compile_on, cpu_options, open_core, reason

Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass
class Network:
    """YuNet for one input size. `idle` are its inference requests that no thread uses."""

    size: Size
    compiled: Any
    used: int = 0
    idle: "queue.SimpleQueue[Any]" = field(default_factory=queue.SimpleQueue)

    def run(self, picture: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Return the OUTPUTS, each (cells, numbers), for a picture of this size."""
        try:
            request = self.idle.get_nowait()
        except queue.Empty:
            request = self.compiled.create_infer_request()
        request.infer([picture[np.newaxis]], share_inputs=True)
        outputs = {name: request.get_tensor(name).data[0].copy() for name in OUTPUTS}
        self.idle.put(request)
        return outputs


class NetworkCompiler:
    """Compiles YuNet's network for one size after another. `threads` threads may run each."""

    def __init__(self, weights: bytes, threads: int) -> None:
        """Start OpenVINO.

        Raises ImportError or OpenVinoUnavailableError if it cannot run the networks. A call raises
        ValueError if `weights` are not YuNet's.
        """
        self._core = open_core()
        self._model = weights
        bfloat16 = has_bfloat16() and "BF16" in self._core.get_property(
            "CPU", "OPTIMIZATION_CAPABILITIES"
        )
        self._options = cpu_options(threads, threads, "bf16" if bfloat16 else "f32")

    def __call__(self, size: Size) -> Network:
        """Return the network for pictures of that size, whose sides are multiples of 32."""
        import openvino
        from openvino.preprocess import PrePostProcessor

        width, height = size
        try:
            model = self._core.read_model(self._model)
            model.reshape([1, 3, height, width])
            outputs = [model.output(name) for name in OUTPUTS]
        except RuntimeError as error:
            raise ValueError(f"not YuNet's network: {reason(error)}") from error
        cells = width * height
        for output, (name, numbers) in zip(outputs, OUTPUTS.items(), strict=True):
            stride = int(name.rpartition("_")[2])
            if tuple(output.shape) != (1, cells // stride**2, numbers):
                raise ValueError(f"not YuNet's network: {name} has shape {tuple(output.shape)}")
        model = openvino.Model(outputs, model.get_parameters(), "yunet")
        steps = PrePostProcessor(model)
        steps.input().tensor().set_element_type(openvino.Type.u8)
        steps.input().tensor().set_layout(openvino.Layout("NHWC"))
        steps.input().model().set_layout(openvino.Layout("NCHW"))
        return Network(size, compile_on(self._core, steps.build(), "CPU", self._options))
