"""YuNet in Keras, for GPUs: batches of pictures of all cameras, with the faces of OpenCV's YuNet.

There is one compiled function per bucket of batch sizes, for pictures of every size, so a new size
costs no compilation. The device decodes the boxes and chooses the best candidates; the host
suppresses overlaps.
"""

import queue
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from worker.inference.detect import Detection
from worker.inference.detect.onnx_weights import read_convolutions
from worker.inference.detect.yunet import (
    DETECT_SIDE,
    MAX_CANDIDATES,
    MIN_SIDE,
    SCORE,
    SCORE_THRESHOLD,
    reduced,
    to_detections,
)
from worker.inference.detect.yunet_decode import suppress
from worker.inference.detect.yunet_network import STEP, candidates, parameters
from worker.inference.keras_backend import Compiled, Tensor, open_backend

MAX_BATCH: Final = 16
"""Pictures per batch at a side of DETECT_SIDE; fewer at larger sides, in proportion to the pixels.
A batch is estimated to take 500 MB of the GPU's memory; no GPU was measured."""

BUCKET_FACTOR: Final = 4
"""Each bucket is so many times as large as the one before."""

CANDIDATES: Final = 1024
"""Candidates per picture at a side of DETECT_SIDE, about ten per face; more at larger sides."""

_Picture = NDArray[np.uint8]


class YuNetKeras:
    """YuNet with the 2023mar weights of OpenCV's Zoo, on TensorFlow or JAX.

    Two threads may call `candidates` at the same time: one batch is transferred while the other is
    processed. `traces` counts how often the network was traced: once per bucket, in warm().
    """

    name = "yunet"
    instances = 2

    def __init__(self, weights: bytes, side: int = DETECT_SIDE, threads: int = 1) -> None:
        """`weights`: the content of the ONNX file; `side`: the longer side of what it sees.

        `threads` are for the backend's operations on the CPU. Raises ValueError if the weights are
        not YuNet's, EngineUnavailableError if Keras' backend cannot run it.
        """
        self._parameters = parameters(read_convolutions(weights))
        self._backend = open_backend(threads)
        self._side = side
        self._input_side = max(MIN_SIDE, -(-side // STEP) * STEP)
        growth = (self._input_side / DETECT_SIDE) ** 2
        largest = min(MAX_BATCH, max(1, int(MAX_BATCH / growth)))
        self.buckets = tuple(n for n in (1, 4, 16) if n <= largest)
        self.max_batch = self.buckets[-1]
        cells = sum((self._input_side // stride) ** 2 for stride in (8, 16, 32))
        self._count = min(cells, MAX_CANDIDATES, int(CANDIDATES * max(1.0, growth)))
        self.traces = 0
        self._compiled: dict[int, Compiled] = {}
        self._buffers: dict[int, queue.SimpleQueue[_Picture]] = {}

    def warm(self) -> None:
        """Compile the function of every bucket, and run it once."""
        for bucket in self.buckets:
            self.candidates([np.zeros((bucket, MIN_SIDE, MIN_SIDE, 3), np.uint8)])

    def prepare(self, image: _Picture) -> tuple[_Picture, float]:
        """Return a picture (height, width, 3) as the network sees it (1, ...), and its scale."""
        picture, scale = reduced(image, self._side)
        return picture[np.newaxis], scale

    def candidates(self, pictures: Sequence[_Picture]) -> NDArray[np.float32]:
        """Return the candidates (n, candidates, numbers) of prepared pictures.

        `pictures` are groups (count, height, width, 3), of max_batch pictures together at most.
        """
        total = sum(map(len, pictures))
        bucket = next(bucket for bucket in self.buckets if bucket >= total)
        idle = self._buffers.setdefault(bucket, queue.SimpleQueue())
        try:
            buffer = idle.get_nowait()
        except queue.Empty:
            buffer = np.zeros((bucket, self._input_side, self._input_side, 3), np.uint8)
        sizes, at = np.zeros((bucket, 2), np.int32), 0
        for group in pictures:
            count, height, width = group.shape[:3]
            buffer[at : at + count, :height, :width] = group
            sizes[at : at + count] = height, width
            at += count
        rows = self._function(bucket, buffer, sizes)(buffer, sizes)[:total]
        idle.put(buffer)
        return rows

    def faces(self, candidates: NDArray[np.float32], scale: float) -> list[Detection]:
        """Return the faces among one picture's candidates, highest score first."""
        likely = np.count_nonzero(candidates[:, SCORE] >= SCORE_THRESHOLD)
        return to_detections(suppress(candidates[:likely]), scale)

    def _function(self, bucket: int, *examples: NDArray[np.generic]) -> Compiled:
        if bucket not in self._compiled:
            self._compiled[bucket] = self._backend.compile(self._graph, *examples)
        return self._compiled[bucket]

    def _graph(self, pictures: Tensor, sizes: Tensor) -> Tensor:
        """Compute the candidates: the whole graph. A backend calls this when it traces."""
        self.traces += 1
        return candidates(self._parameters, pictures, sizes, self._count)
