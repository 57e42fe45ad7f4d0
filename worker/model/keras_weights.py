"""Converts between a Keras model and the named arrays of a release."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from worker.model.architecture import SIMPNET_V2
from worker.model.release import Weights

_BATCH_NORM = ("gamma", "beta", "mean", "variance")  # in the order of Keras' get_weights()


def export_weights(model: keras.Model) -> dict[str, NDArray[Any]]:
    """Return the arrays of a model from simpnet.build, named and shaped as in a release."""
    arrays: dict[str, NDArray[Any]] = {}
    for layer, parts in _layers():
        for part, value in zip(parts, model.get_layer(layer).get_weights(), strict=True):
            arrays[f"{layer}/{part}"] = np.asarray(value, np.float32)
    return arrays


def import_weights(model: keras.Model, weights: Weights) -> None:
    """Set a model's weights from a release's arrays."""
    for layer, parts in _layers():
        model.get_layer(layer).set_weights([weights[f"{layer}/{part}"] for part in parts])


def _layers() -> list[tuple[str, tuple[str, ...]]]:
    numbers = range(1, len(SIMPNET_V2) + 1)
    return [
        *((f"conv{n}", ("kernel", "bias")) for n in numbers),
        *((f"bn{n}", _BATCH_NORM) for n in numbers),
        ("dense", ("kernel", "bias")),
    ]
