"""A release's int8 file: computed by NNCF after training, scored, and refused if it loses much."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training import metrics
from training.crops import crops
from training.datasets import Entry, InvalidDataError
from training.evaluate import Predictions, predict
from worker.inference.engines.choose import build_engine
from worker.model.card import ModelCard
from worker.model.int8 import LAYERS, Int8Layer, Int8Weights
from worker.model.release import Release, save_int8

PICTURES: Final = 300
"""Number of pictures that the ranges are measured on. Three times as many change nothing."""

MOST_LOST: Final = 0.005
"""The most that int8 may cost of float32's accuracy: half a point."""

_LEVELS: Final = 256


class Int8UnavailableError(Exception):
    """No good int8 file can be made here; the message says why, and what to do."""


def quantize(model: Release, train: Sequence[Entry]) -> Int8Weights:
    """Return the model in int8.

    The ranges are measured on PICTURES faces of `train`, evenly spaced. Raises
    Int8UnavailableError, and InvalidDataError if no picture can be read.
    """
    nncf = import_nncf()
    from worker.inference.engines.openvino import graph

    chosen = train[:: max(len(train) // PICTURES, 1)][:PICTURES]
    pictures = [
        crop.picture[np.newaxis] for crop in crops(chosen, model.card, None, lambda *_: None)
    ]
    if not pictures:
        raise InvalidDataError("no picture to measure the ranges of int8 on")
    quantized = nncf.quantize(
        graph(replace(model, int8=None)), nncf.Dataset(pictures), subset_size=len(pictures)
    )
    layers = dict(_layers(quantized))
    # The 256 steps from 0 to 1 are the values of a byte: a picture is not rounded.
    return {**layers, "conv1": replace(layers["conv1"], low=0.0, high=1.0)}


def add_int8(
    folder: Path,
    model: Release,
    train: Sequence[Entry],
    valid: Sequence[Entry],
    float32: Predictions,
    threads: int,
) -> ModelCard:
    """Add an int8 file to the release `model` in `folder`, and return the card as written.

    `float32` are the predictions of `model` on `valid`. Raises Int8UnavailableError,
    InvalidDataError, and EngineUnavailableError without OpenVINO.
    """
    weights = quantize(model, train)
    engine = build_engine("openvino", replace(model, int8=weights), threads)
    scores = compare(float32, predict(engine, model.card, valid, None), model.card.temperature)
    if (lost := scores["accuracy_float32"] - scores["accuracy"]) > MOST_LOST:
        raise Int8UnavailableError(
            f"{folder}: int8 costs {100 * lost:.2f} points of accuracy, "
            f"more than the allowed {100 * MOST_LOST:g}"
        )
    import nncf
    import openvino

    environment = {
        "pictures": min(len(train), PICTURES),
        "nncf": nncf.__version__,
        "openvino": openvino.__version__,
    }
    return save_int8(folder, weights, scores, environment)


def compare(float32: Predictions, int8: Predictions, temperature: float) -> dict[str, Any]:
    """Return the int8 scores of a card, from predictions on the same pictures.

    Raises InvalidDataError if the pictures differ.
    """
    if float32.names != int8.names:
        raise InvalidDataError("the pictures have changed since the model was scored")
    matrix, truth = int8.matrix(), int8.truth
    probabilities = metrics.softmax(int8.logits, temperature)
    return {
        "count": len(truth),
        "accuracy": round(metrics.accuracy(matrix), 4),
        "accuracy_float32": round(metrics.accuracy(float32.matrix()), 4),
        "macro_f1": round(metrics.macro_f1(matrix), 4),
        "macro_f1_float32": round(metrics.macro_f1(float32.matrix()), 4),
        "ece": round(metrics.expected_calibration_error(probabilities, truth), 4),
        "same_emotion": round(float((float32.predicted == int8.predicted).mean()), 4),
    }


def import_nncf() -> Any:
    """Return the module. Raises Int8UnavailableError, which says how to install it."""
    try:
        import nncf
    except ImportError as error:
        raise Int8UnavailableError(
            f"NNCF is needed: {error}. Run pip install 'emotion-streams[training]'"
        ) from error
    return nncf


def _layers(model: Any) -> Iterator[tuple[str, Int8Layer]]:
    """Yield the layers of NNCF's graph: the convolutions and the dense layer.

    Each has an int8 kernel multiplied by a scale per output, and its input is rounded.
    """
    kinds = Counter[str]()
    names = iter(LAYERS)
    for node in model.get_ordered_ops():
        kinds[kind := node.get_type_name()] += 1
        if kind not in ("Convolution", "MatMul"):
            continue
        (after,) = node.output(0).get_target_inputs()
        product = _before(node, 1, "Multiply")
        kernel = _constant(_before(product, 0, "Convert"), 0)
        if kernel.ndim == 4:
            kernel = kernel.transpose(2, 3, 1, 0)
        rounding = _rounding(node)
        ends = [float(_constant(rounding, number).item()) for number in range(1, 5)]
        if ends[:2] != ends[2:] or rounding.get_attributes()["levels"] != _LEVELS:
            raise Int8UnavailableError("NNCF rounds in a way that the int8 file cannot represent")
        yield (
            next(names),
            Int8Layer(
                np.ascontiguousarray(kernel, np.int8),
                np.ravel(_constant(product, 1)).astype(np.float32),
                np.ravel(_constant(after.get_node(), 1)).astype(np.float32),
                low=ends[0],
                high=ends[1],
            ),
        )
    if kinds["FakeQuantize"] != len(LAYERS) or next(names, None):
        raise Int8UnavailableError(f"NNCF rounded {kinds['FakeQuantize']} inputs of {len(LAYERS)}")


def _rounding(node: Any) -> Any:
    """Return the node that rounds the node's input, before a pool or a transposition."""
    while node.get_type_name() != "FakeQuantize":
        node = node.input_value(0).get_node()
    return node


def _before(node: Any, number: int, kind: str) -> Any:
    found = node.input_value(number).get_node()
    if found.get_type_name() != kind:
        raise Int8UnavailableError(f"NNCF's graph has {found.get_type_name()} instead of {kind}")
    return found


def _constant(node: Any, number: int) -> NDArray[Any]:
    return np.asarray(_before(node, number, "Constant").data)
