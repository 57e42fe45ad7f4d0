"""A release's int8 file: the model quantized after training, for engines that compute in int8."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from worker.model.architecture import SIMPNET_V2, Blocks
from worker.model.card import InvalidReleaseError

INT8_FILE: Final = "int8.npz"

LAYERS: Final = (*(f"conv{number}" for number in range(1, len(SIMPNET_V2) + 1)), "dense")
"""Layer names, in the order of computation."""


@dataclass(frozen=True)
class Int8Layer:
    """A convolution, or the dense layer at the end, with its batch norm folded in.

    `kernel` is int8 (3, 3, in, out), or (in, out) for the dense layer. Multiply it by `scale` to
    get the weights. `scale` and `bias` are float32 (out,). The layer's input is rounded to 256
    steps from `low` to `high`, both included.
    """

    kernel: NDArray[np.int8]
    scale: NDArray[np.float32]
    bias: NDArray[np.float32]
    low: float
    high: float


Int8Weights = Mapping[str, Int8Layer]
"""The layers by name. Names and order are those of LAYERS."""


def shapes(blocks: Blocks = SIMPNET_V2, classes: int = 8) -> dict[str, tuple[int, ...]]:
    """Return the shape of every array of the file, by name."""
    kernels, channels = [], 3
    for block in blocks:
        kernels.append((3, 3, channels, block.filters))
        channels = block.filters
    table: dict[str, tuple[int, ...]] = {}
    for layer, kernel in zip(LAYERS, [*kernels, (channels, classes)], strict=True):
        table[f"{layer}/kernel"] = kernel
        table[f"{layer}/scale"] = table[f"{layer}/bias"] = kernel[-1:]
        table[f"{layer}/input"] = (2,)
    return table


def read(path: Path, sha256: str, blocks: Blocks) -> Int8Weights:
    """Read the layers of the file, those of a network of `blocks`.

    Raises InvalidReleaseError if the file is missing, has another sha256, or has any other content.
    """
    try:
        blob = path.read_bytes()
    except OSError as error:
        raise InvalidReleaseError(f"{path}: {error.strerror or error}") from error
    digest = hashlib.sha256(blob).hexdigest()
    if digest != sha256:
        raise InvalidReleaseError(f"{path}: sha256 is {digest}, its card says {sha256}")
    try:
        if not zipfile.is_zipfile(io.BytesIO(blob)):  # np.load accepts other formats, too
            raise ValueError("not an npz archive")
        with np.load(io.BytesIO(blob), allow_pickle=False) as archive:
            if set(archive.files) != shapes(blocks).keys():
                raise ValueError("its arrays are not this network's")
            arrays = {name: archive[name] for name in archive.files}
        _check(arrays, blocks)
    # For an invalid npz, numpy, zipfile and zlib raise a dozen kinds of errors.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise InvalidReleaseError(f"{path}: no int8 weights: {reason}") from error
    return {
        layer: Int8Layer(
            arrays[f"{layer}/kernel"],
            arrays[f"{layer}/scale"],
            arrays[f"{layer}/bias"],
            *map(float, arrays[f"{layer}/input"]),
        )
        for layer in LAYERS
    }


def write(path: Path, weights: Int8Weights, blocks: Blocks) -> str:
    """Write the file and return its sha256. The same layers produce the same bytes.

    Raises ValueError if a layer does not belong to a network of `blocks`.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for name, layer in weights.items():
        arrays[f"{name}/kernel"] = layer.kernel
        arrays[f"{name}/scale"] = layer.scale
        arrays[f"{name}/bias"] = layer.bias
        arrays[f"{name}/input"] = np.array([layer.low, layer.high], np.float32)
    _check(arrays, blocks)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    path.write_bytes(buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def _check(arrays: Mapping[str, NDArray[Any]], blocks: Blocks) -> None:
    for name, shape in shapes(blocks).items():
        array = arrays[name]
        if array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape}, not {shape}")
        wanted = np.int8 if name.endswith("kernel") else np.float32
        if array.dtype != wanted:
            raise ValueError(f"{name} holds {array.dtype}, not {np.dtype(wanted)}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds a value that is not finite")
        if name.endswith("scale") and array.min() <= 0:
            raise ValueError(f"{name} holds a scale that is not above 0")
        if name.endswith("input") and array[0] >= array[1]:
            raise ValueError(f"{name} is not a range: {array[0]} to {array[1]}")
