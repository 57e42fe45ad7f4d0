"""YuNet in OpenVINO: on x86-64 two to three times as fast as in OpenCV, with the same faces."""

import logging
import math
import threading
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from worker.inference.detect import Detection
from worker.inference.detect.yunet import DETECT_SIDE, MIN_SIDE, reduced, to_detections
from worker.inference.detect.yunet_compiler import Network, Size
from worker.inference.detect.yunet_decode import decode

SIZES_KEPT: Final = 4
"""Networks beside those of EXACT_SHAPES, one per input size. Each takes about 10 MB per thread."""

EXACT_SHAPES: Final = (
    (1.0, 1.0), (1.0, 0.75), (1.0, 0.6), (0.75, 1.0), (0.6, 1.0),
    (0.75, 0.6), (0.75, 0.45), (0.5, 0.5),
)  # fmt: skip
"""Inputs of exact pictures, in shares of the largest side: the usual shapes of pictures, 4:3 and
16:9. They are few, so that recordings of many sizes compile few networks."""

UNUSED_AFTER: Final = 1000
"""A network may be replaced after this many pictures without its size. If the least recently used
network were replaced at once, and one more size were in use than fits, each frame would compile a
network."""

_STEP: Final = 32
"""The network's largest stride."""

log = logging.getLogger(__name__)


class Networks:
    """YuNet's networks, one per input size, shared by all threads.

    The largest network accepts every picture, and is ready from the start. A picture of a new size
    uses the smallest network that accepts it. Meanwhile a thread compiles a network of the new
    size, one at a time. No picture waits for that, except the first exact ones of a shape.
    """

    def __init__(
        self,
        compile_network: Callable[[Size], Network],
        side: int = DETECT_SIDE,
        *,
        patient: bool = False,
    ) -> None:
        """Compile the largest network, for pictures of up to `side` pixels a side.

        `compile_network` is a NetworkCompiler. If `patient`, a picture waits until the network of
        its size is compiled, so that its faces do not depend on when it arrives. Raises what the
        compiler raises.
        """
        self._compile = compile_network
        self.side = side
        self._exact = tuple((_padded(side * x), _padded(side * y)) for x, y in EXACT_SHAPES)
        self._patient = patient
        self._lock = threading.Lock()
        self._pictures = 0
        self._compiling: threading.Thread | None = None
        self._refused: set[Size] = set()
        largest = self._compile(self._exact[0])
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

        If `exact`, the network follows from the picture's size alone: the smallest of EXACT_SHAPES,
        for which the picture waits.
        """
        height, width = picture.shape[:2]
        size = _padded(width), _padded(height)
        if exact:
            size = min((each for each in self._exact if _takes(each, size)), key=math.prod)
        network = self._network(size, exact or self._patient)
        columns, rows = network.size
        if (columns, rows) != (width, height):
            padded = np.zeros((rows, columns, 3), np.uint8)
            padded[:height, :width] = picture
            picture = padded
        return network.run(np.ascontiguousarray(picture)), columns

    def _network(self, wanted: Size, exact: bool) -> Network:
        with self._lock:
            self._pictures += 1
            if wanted not in self._networks:
                self._have_compiled(wanted, exact)
        while exact and not (wanted in self._networks or wanted in self._refused):
            self.wait()
            with self._lock:
                self._have_compiled(wanted, exact)
        with self._lock:
            taking = (each for each in self._networks.values() if _takes(each.size, wanted))
            smallest = min(taking, key=lambda network: math.prod(network.size))
            smallest.used = self._pictures
            return smallest

    def _have_compiled(self, size: Size, exact: bool) -> None:
        if self._compiling or size in self._refused or size in self._networks:
            return
        others = [each for each in self._networks.values() if each.size not in self._exact]
        if size not in self._exact and len(others) >= SIZES_KEPT:
            oldest = min(others, key=lambda network: network.used)
            if self._pictures - oldest.used < UNUSED_AFTER and not exact:
                return
            del self._networks[oldest.size]
        self._compiling = threading.Thread(target=self._add, args=(size,), name="yunet")
        self._compiling.start()

    def _add(self, size: Size) -> None:
        network = None
        try:
            network = self._compile(size)
        # Of any kind, such as a MemoryError: pictures that wait for this network must go on.
        except Exception as error:
            reason = str(error) or type(error).__name__
            log.warning("YuNet goes on with larger inputs than %dx%d: %s", *size, reason)
        with self._lock:
            self._compiling = None
            if network is None:
                self._refused.add(size)
            else:
                network.used = self._pictures
                self._networks[size] = network


class YuNetOpenVino:
    """YuNet with the 2023mar weights of OpenCV's Zoo. All threads share its networks."""

    name = "yunet"

    def __init__(self, networks: Networks) -> None:
        self.networks = networks

    def detect(self, image: NDArray[np.uint8], *, exact: bool = False) -> list[Detection]:
        """Return the faces in a uint8 BGR picture (height, width, 3), highest score first.

        If `exact`, the network follows from the picture's size: a larger one places the boxes a
        fraction of a pixel differently.
        """
        picture, scale = reduced(image, self.networks.side)
        outputs, columns = self.networks.run(picture, exact=exact)
        return to_detections(decode(outputs, columns), scale)


def _padded(side: float) -> int:
    return max(MIN_SIDE, math.ceil(side / _STEP) * _STEP)


def _takes(network: Size, picture: Size) -> bool:
    return network[0] >= picture[0] and network[1] >= picture[1]
