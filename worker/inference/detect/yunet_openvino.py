"""YuNet in OpenVINO: on x86-64 two to three times as fast as in OpenCV, with the same faces."""

import logging
import queue
import threading
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from worker.inference.detect import Detection
from worker.inference.detect.yunet import DETECT_SIDE, MIN_SIDE, reduced, to_detections
from worker.inference.detect.yunet_decode import OUTPUTS, decode
from worker.inference.devices import has_bfloat16
from worker.inference.openvino_core import (
    OpenVinoUnavailableError,
    compile_on,
    cpu_options,
    open_core,
    reason,
)

SIZES_KEPT: Final = 4
"""Networks beside the largest, one per input size. Each takes about 10 MB per thread."""

UNUSED_AFTER: Final = 1000
"""A network may be replaced after this many pictures without its size. If the least recently used
network were replaced at once, and one more size were in use than fits, each frame would compile a
network."""

_STEP: Final = 32
"""The network's largest stride."""

Size = tuple[int, int]
"""Width and height in pixels."""

log = logging.getLogger(__name__)


@dataclass
class _Network:
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


class Networks:
    """YuNet's networks, one per input size, shared by all threads.

    The largest network accepts every picture, and is ready from the start. A picture of a new size
    uses the smallest network that accepts it. Meanwhile a thread compiles a network of the new
    size, one at a time. No picture waits for that.
    """

    def __init__(
        self, weights: bytes, threads: int, side: int = DETECT_SIDE, *, patient: bool = False
    ) -> None:
        """Compile the largest network, for pictures of up to `side` pixels a side.

        `threads` threads may detect at once.

        If `patient`, a picture waits until the network of its size is compiled, so that its faces
        do not depend on when it arrives. Raises ImportError or OpenVinoUnavailableError if OpenVINO
        cannot run the networks, ValueError if `weights` are not YuNet's.
        """
        self._core = open_core()
        self._model = weights
        self.side = side
        self._largest = (_padded(side), _padded(side))
        bfloat16 = has_bfloat16() and "BF16" in self._core.get_property(
            "CPU", "OPTIMIZATION_CAPABILITIES"
        )
        self.precision = "bf16" if bfloat16 else "f32"
        self._options = cpu_options(threads, threads, self.precision)
        self._patient = patient
        self._lock = threading.Lock()
        self._pictures = 0
        self._compiling: threading.Thread | None = None
        self._refused: set[Size] = set()
        largest = self._compile(self._largest)
        self._networks = {largest.size: largest}

    @property
    def sizes(self) -> set[Size]:
        """The sizes for which a network is ready."""
        return set(self._networks)

    def wait(self) -> None:
        """Wait until no network is being compiled."""
        if compiling := self._compiling:
            compiling.join()

    def run(
        self, picture: NDArray[np.uint8], *, exact: bool = False
    ) -> tuple[dict[str, NDArray[np.float32]], int]:
        """Return the outputs for a picture with sides up to `side`, and the width of the input.

        If `exact`, the picture waits until the network of its size is compiled.
        """
        height, width = picture.shape[:2]
        network = self._network((_padded(width), _padded(height)), exact or self._patient)
        columns, rows = network.size
        if (columns, rows) != (width, height):
            padded = np.zeros((rows, columns, 3), np.uint8)
            padded[:height, :width] = picture
            picture = padded
        return network.run(np.ascontiguousarray(picture)), columns

    def _network(self, wanted: Size, exact: bool) -> _Network:
        with self._lock:
            self._pictures += 1
            if wanted not in self._networks:
                self._have_compiled(wanted, exact)
        while exact and not (wanted in self._networks or wanted in self._refused):
            self.wait()
            with self._lock:
                self._have_compiled(wanted, exact)
        with self._lock:
            width, height = wanted
            taking = (n for (w, h), n in self._networks.items() if w >= width and h >= height)
            smallest = min(taking, key=lambda network: network.size[0] * network.size[1])
            smallest.used = self._pictures
            return smallest

    def _have_compiled(self, size: Size, exact: bool) -> None:
        if self._compiling or size in self._refused or size in self._networks:
            return
        if len(self._networks) > SIZES_KEPT:
            small = (n for n in self._networks.values() if n.size != self._largest)
            oldest = min(small, key=lambda network: network.used)
            if self._pictures - oldest.used < UNUSED_AFTER and not exact:
                return
            del self._networks[oldest.size]
        self._compiling = threading.Thread(target=self._add, args=(size,), name="yunet")
        self._compiling.start()

    def _add(self, size: Size) -> None:
        try:
            network = self._compile(size)
        except (OpenVinoUnavailableError, RuntimeError, ValueError) as error:
            log.warning("YuNet goes on with larger inputs than %dx%d: %s", *size, error)
            network = None
        with self._lock:
            self._compiling = None
            if network is None:
                self._refused.add(size)
            else:
                network.used = self._pictures
                self._networks[size] = network

    def _compile(self, size: Size) -> _Network:
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
        return _Network(size, compile_on(self._core, steps.build(), "CPU", self._options))


class YuNetOpenVino:
    """YuNet with the 2023mar weights of OpenCV's Zoo. All threads share its networks."""

    name = "yunet"

    def __init__(self, networks: Networks) -> None:
        self.networks = networks

    def detect(self, image: NDArray[np.uint8], *, exact: bool = False) -> list[Detection]:
        """Return the faces in a uint8 BGR picture (height, width, 3), highest score first.

        If `exact`, the picture waits until the network of its size is compiled: a larger network
        places the boxes a fraction of a pixel differently.
        """
        picture, scale = reduced(image, self.networks.side)
        outputs, columns = self.networks.run(picture, exact=exact)
        return to_detections(decode(outputs, columns), scale)


def _padded(side: int) -> int:
    return max(MIN_SIDE, -(-side // _STEP) * _STEP)
