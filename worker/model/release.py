"""A released model on disk: a folder with weights.npz and card.json.

A quantized model also has int8.npz. Reading a release needs only numpy.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from worker.model import int8
from worker.model.architecture import BATCH_NORM_EPSILON, SIMPNET_V2, Blocks, shapes
from worker.model.card import CARD_FILE, Int8Card, InvalidReleaseError, ModelCard, read_card
from worker.model.int8 import INT8_FILE, Int8Weights

WEIGHTS_FILE: Final = "weights.npz"
RELEASED: Final = Path(__file__).parent / "released"
"""Folder of the releases that come with the project. The name of each release is its folder's."""
DEFAULT_RELEASE: Final = "simpnet-v2"

Array = NDArray[np.float32]
Weights = Mapping[str, Array]


@dataclass(frozen=True)
class Release:
    """A model that any engine can build: its card, and its weights as float32 arrays.

    Names and shapes: conv{1..13}/kernel (3, 3, in, out) and /bias (out,), bn{1..13}/gamma, /beta,
    /mean and /variance (out,), dense/kernel (in, 8) and /bias (8,). `int8` is None if the release
    was not quantized.
    """

    card: ModelCard
    weights: Weights
    int8: Int8Weights | None = None


@dataclass(frozen=True)
class FoldedConvolution:
    """A block's convolution with its batch norm folded in: kernel (3, 3, in, out), bias (out,)."""

    kernel: Array
    bias: Array


def locate(model: str) -> Path:
    """Return the release folder for a name such as `simpnet-v2`, or for a path.

    Raises InvalidReleaseError if there is no such folder.
    """
    named = RELEASED / model
    if Path(model).name == model and named.is_dir():
        return named
    folder = Path(model)
    if not folder.is_dir():
        names = ", ".join(sorted(path.name for path in RELEASED.iterdir() if path.is_dir()))
        raise InvalidReleaseError(f"no model {model!r}: neither a folder nor one of {names}")
    return folder


def load(model: str = DEFAULT_RELEASE) -> Release:
    """Read and check a release, by name or by folder.

    Raises InvalidReleaseError, which names the error, if the release is invalid.
    """
    folder = locate(model)
    card = read_card(folder)
    path = folder / WEIGHTS_FILE
    try:
        blob = path.read_bytes()
    except OSError as error:
        raise InvalidReleaseError(f"{path}: {error.strerror or error}") from error
    digest = hashlib.sha256(blob).hexdigest()
    if digest != card.weights_sha256:
        raise InvalidReleaseError(
            f"{path}: sha256 is {digest}, its card says {card.weights_sha256}"
        )
    quantized: Int8Weights | None = None
    if card.int8:
        quantized = int8.read(folder / INT8_FILE, card.int8.sha256, card.blocks)
    return Release(card, _read_weights(path, blob, card.blocks), quantized)


def save(folder: Path, card: ModelCard, weights: Mapping[str, NDArray[Any]]) -> ModelCard:
    """Write a release, and return its card as written, with the sha256 of the weights.

    Kernels are written as float16, all other arrays, which are small, as float32. The release has
    no int8 file: an existing one belongs to other weights, and is deleted. Raises ValueError if an
    array is missing, unknown or misshapen, or if the card could not be read again.
    """
    _check(weights, card.blocks)
    arrays = {
        name: np.asarray(value).astype(np.float16 if name.endswith("kernel") else np.float32)
        for name, value in weights.items()
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    blob = buffer.getvalue()
    card = replace(card, weights_sha256=hashlib.sha256(blob).hexdigest(), int8=None)
    ModelCard.from_json(card.to_json())  # make sure that the card can be read again
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS_FILE).write_bytes(blob)
    (folder / CARD_FILE).write_text(card.to_json())
    (folder / INT8_FILE).unlink(missing_ok=True)
    return card


def save_int8(
    folder: Path, weights: Int8Weights, scores: Mapping[str, Any], quantization: Mapping[str, Any]
) -> ModelCard:
    """Add the int8 file to the release in `folder`, and return the card as written.

    The card includes the file's sha256, `scores` and `quantization`. Raises InvalidReleaseError, or
    ValueError if a layer is misshapen.
    """
    card = read_card(folder)
    sha256 = int8.write(folder / INT8_FILE, weights, card.blocks)
    card = replace(card, int8=Int8Card(sha256, scores, quantization))
    (folder / CARD_FILE).write_text(card.to_json())
    return card


def fold(weights: Weights) -> list[FoldedConvolution]:
    """Return the thirteen convolutions with their batch norms folded in, for serving.

    A folded kernel is kernel * gamma / sqrt(variance + epsilon); the bias is adapted to it.
    """
    folded = []
    for number in range(1, len(SIMPNET_V2) + 1):
        scale = weights[f"bn{number}/gamma"] / np.sqrt(
            weights[f"bn{number}/variance"] + BATCH_NORM_EPSILON
        )
        bias = (weights[f"conv{number}/bias"] - weights[f"bn{number}/mean"]) * scale
        folded.append(
            FoldedConvolution(
                kernel=weights[f"conv{number}/kernel"] * scale,
                bias=bias + weights[f"bn{number}/beta"],
            )
        )
    return folded


def _read_weights(path: Path, blob: bytes, blocks: Blocks) -> Weights:
    try:
        if not zipfile.is_zipfile(io.BytesIO(blob)):  # np.load accepts other formats, too
            raise ValueError("not an npz archive")
        with np.load(io.BytesIO(blob), allow_pickle=False) as arrays:
            _check_names(arrays.files, blocks)
            weights = {name: arrays[name] for name in arrays.files}
        _check(weights, blocks)
    # For an invalid npz, numpy, zipfile and zlib raise a dozen kinds of errors.
    except Exception as error:
        raise InvalidReleaseError(f"{path}: no weights: {error or type(error).__name__}") from error
    return {name: array.astype(np.float32) for name, array in weights.items()}


def _check_names(names: Iterable[str], blocks: Blocks) -> None:
    expected, found = shapes(blocks).keys(), set(names)
    if missing := sorted(expected - found):
        raise ValueError(f"arrays missing: {', '.join(missing)}")
    if unknown := sorted(found - expected):
        raise ValueError(f"arrays unknown: {', '.join(unknown)}")


def _check(weights: Mapping[str, NDArray[Any]], blocks: Blocks) -> None:
    _check_names(weights, blocks)
    for name, shape in shapes(blocks).items():
        array = weights[name]
        if array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape}, not {shape}")
        if not np.issubdtype(array.dtype, np.floating):
            raise ValueError(f"{name} holds {array.dtype}, not floating point")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds a value that is not finite")
        if name.endswith("variance") and array.min() < 0:
            raise ValueError(f"{name} holds a value below 0")
