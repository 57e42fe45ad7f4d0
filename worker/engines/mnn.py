"""SimpNet V2 in MNN: the fastest on a CPU, thanks to its Winograd convolutions.

The graph is built from the released weights with MNN's own expressions, batch norms folded in; it
needs neither ONNX nor TensorFlow.
"""

import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from MNN import expr, nn
from numpy.typing import NDArray

from worker.engines import probabilities
from worker.model.architecture import BLOCKS
from worker.model.release import Array, FoldedConvolution, Release, fold

MAX_BATCH: Final = 8
"""Larger batches gain nothing on a CPU, and make the first face wait for the last."""


class MnnEngine:
    """MNN on the CPU, with as many threads as given."""

    name = "mnn"
    max_batch = MAX_BATCH

    def __init__(self, release: Release, threads: int) -> None:
        self._card = release.card
        # "high": float32 throughout; the default may compute in less on CPUs that offer it.
        runtime = nn.create_runtime_manager(
            ({"backend": "CPU", "numThread": threads, "precision": "high"},)
        )
        # Only a module loaded from a file takes a runtime; one made from expressions runs a
        # generic convolution instead of Winograd's at a tenth of the speed.
        with tempfile.TemporaryDirectory(prefix="emotion-streams-") as folder:
            path = str(Path(folder) / "simpnet.mnn")
            expr.save([_graph(release)], path)
            self._module: Any = nn.load_module_from_file(
                path, ["picture"], ["logits"], runtime_manager=runtime
            )

    def warm(self) -> None:
        """Run the smallest and the largest batch, so that buffers stand."""
        size = self._card.input_size
        for count in (1, MAX_BATCH):
            self.classify(np.zeros((count, size, size, 3), np.uint8))

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """As in Engine."""
        pictures = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32)
        pictures *= np.float32(1 / 255)
        variable = expr.placeholder(list(pictures.shape), expr.NCHW)
        variable.write(pictures)
        logits = np.array(self._module.forward(variable).read(), np.float32)
        return probabilities(logits, self._card.temperature)


def _graph(release: Release) -> Any:
    size = release.card.input_size
    picture = expr.placeholder([1, 3, size, size], expr.NCHW)
    picture.name = "picture"
    x = expr.convert(picture, expr.NC4HW4)
    for block, folded in zip(BLOCKS, fold(release.weights), strict=True):
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
    """A convolution with fixed weights: expr.conv2d takes weights that might change, and so never
    chooses Winograd."""
    inputs, outputs = folded.kernel.shape[2:]
    layer = nn.conv(inputs, outputs, [3, 3], padding_mode=expr.SAME if same else expr.VALID)
    # The bias comes first. A wrong order is only printed, and leaves random weights.
    parameters = [_constant(folded.bias), _constant(folded.kernel.transpose(3, 2, 0, 1))]
    if not layer.load_parameters(parameters):
        raise RuntimeError("MNN refused the weights of a convolution")
    layer.train(False)
    return layer


def _constant(values: Array) -> Any:
    return expr.const(
        np.ascontiguousarray(values, np.float32), list(values.shape), expr.NCHW, expr.float
    )
