"""YuNet as a graph of keras.ops, from uint8 pictures to candidate faces, for batches on a GPU.

Pictures of all sizes share one square input. The network has biases, so what lies beside a picture
would not stay zero and would change the faces at its edge. Each layer therefore clears what is
outside the picture, and the faces are those of a network of the picture's own size.

Source of the network: ShiqiYu/libfacedetection.train (YuNet, Wu et al., 2023).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import keras
import numpy as np
from numpy.typing import NDArray

from worker.inference.detect.onnx_weights import Convolution
from worker.inference.detect.yunet import FACE_NUMBERS, MIN_SIDE
from worker.inference.detect.yunet_decode import STRIDES

STEP: Final = STRIDES[-1]
"""The sides of the input are multiples of this."""

Tensor: TypeAlias = Any
"""A tensor of Keras' backend."""

Mask: TypeAlias = Callable[[int], Tensor]
"""Returns for a stride the cells inside the pictures: float32 (n, rows, columns, 1), 0 or 1."""

_CHANNELS: Final = (16, 16, 32, 32, 64, *(64,) * 9)
"""Outputs of the separable convolutions of the backbone and then the neck, in the file's order."""

_HEADS: Final = {"cls": 1, "bbox": 4, "obj": 1, "kps": 10}
"""Outputs of the heads, each with a separable convolution per level, in the file's order."""


@dataclass(frozen=True)
class Separable:
    """A 1x1 convolution, `pointwise` (inputs, outputs), then a 3x3 one of each channel.

    `depthwise` is (3, 3, outputs); the biases are (outputs,).
    """

    pointwise: NDArray[np.float32]
    pointwise_bias: NDArray[np.float32]
    depthwise: NDArray[np.float32]
    depthwise_bias: NDArray[np.float32]


@dataclass(frozen=True)
class Parameters:
    """YuNet's weights: `stem` is the first convolution's kernel (3, 3, 3, 16) and bias.

    `body` are the 14 separable convolutions of the backbone and the neck; `heads` are three for
    each of _HEADS.
    """

    stem: tuple[NDArray[np.float32], NDArray[np.float32]]
    body: tuple[Separable, ...]
    heads: dict[str, tuple[Separable, ...]]


def parameters(convolutions: Sequence[Convolution]) -> Parameters:
    """Return the weights from YuNet's convolutions. Raises ValueError if they are another's."""
    outputs = [*_CHANNELS, *(count for count in _HEADS.values() for _ in STRIDES)]
    inputs = [16, *_CHANNELS[:-1], *(64,) * (len(_HEADS) * len(STRIDES))]
    shapes: list[tuple[int, ...]] = [(16, 3, 3, 3)]
    for into, out in zip(inputs, outputs, strict=True):
        shapes += [(out, into, 1, 1), (out, 1, 3, 3)]
    found = [kernel.shape for kernel, _ in convolutions]
    biases = [bias.shape for _, bias in convolutions]
    if found != shapes or biases != [shape[:1] for shape in shapes]:
        raise ValueError(f"not YuNet's network: {_difference(found, shapes)}")
    (stem, stem_bias), *rest = convolutions
    pairs = iter(zip(rest[::2], rest[1::2], strict=True))
    body = tuple(_take(pairs, len(_CHANNELS)))
    heads = {name: tuple(_take(pairs, len(STRIDES))) for name in _HEADS}
    return Parameters((stem.transpose(2, 3, 1, 0), stem_bias), body, heads)


def _difference(found: Sequence[Sequence[int]], expected: Sequence[Sequence[int]]) -> str:
    if len(found) != len(expected):
        return f"{len(found)} convolutions instead of {len(expected)}"
    number = next((n for n, shape in enumerate(expected) if found[n] != shape), None)
    if number is None:
        return "a bias has another shape than its convolution"
    return f"convolution {number} has shape {found[number]} instead of {expected[number]}"


def _take(pairs: Iterator[tuple[Convolution, Convolution]], count: int) -> Iterator[Separable]:
    for _ in range(count):
        (point, point_bias), (depth, depth_bias) = next(pairs)
        yield Separable(point[:, :, 0, 0].T, point_bias, depth[:, 0].transpose(1, 2, 0), depth_bias)


def candidates(weights: Parameters, pictures: Tensor, sizes: Tensor, count: int) -> Tensor:
    """Return the `count` best candidates of each picture: float32 (n, count, FACE_NUMBERS).

    They are in the order of their scores, in pixels of the picture, like yunet_decode.Faces.
    `pictures` is uint8 BGR (n, side, side, 3). `sizes` is int32 (n, 2): the height and width of the
    picture in the top left corner; the pixels outside may have any value.
    """
    side = pictures.shape[1]
    padded = keras.ops.maximum(-(-sizes // STEP) * STEP, MIN_SIDE)
    mask = _masks(padded, side)
    inside = keras.ops.cast(pictures, "float32") * _mask(sizes, side, 1)
    return _best(_levels(weights, inside, mask), mask, side, count)


def _masks(sizes: Tensor, side: int) -> Mask:
    made: dict[int, Tensor] = {}

    def mask(stride: int) -> Tensor:
        if stride not in made:
            made[stride] = _mask(sizes, side, stride)
        return made[stride]

    return mask


def _mask(sizes: Tensor, side: int, stride: int) -> Tensor:
    cells = keras.ops.arange(side // stride, dtype="int32") * stride
    rows, columns = cells < sizes[:, :1], cells < sizes[:, 1:]
    both = keras.ops.logical_and(rows[:, :, None, None], columns[:, None, :, None])
    return keras.ops.cast(both, "float32")


def _levels(weights: Parameters, x: Tensor, mask: Mask) -> list[dict[str, Tensor]]:
    """Return the heads' outputs at each of STRIDES, each (n, rows, columns, numbers)."""
    body = iter(weights.body)

    def separable(x: Tensor, stride: int) -> Tensor:
        return keras.ops.relu(_separable(x, next(body), mask(stride)))

    def two(x: Tensor, stride: int) -> Tensor:
        return separable(separable(x, stride), stride)

    kernel, bias = weights.stem
    x = keras.ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    x = keras.ops.conv(x, kernel, strides=2, padding="valid", data_format="channels_last")
    x = _halved(separable(keras.ops.relu(x + bias), 2))
    p8 = two(_halved(two(two(x, 4), 4)), 8)
    p16 = two(_halved(p8), 16)
    p32 = two(_halved(p16), 32)
    p32 = separable(p32, 32)
    p16 = separable(p16 + _doubled(p32), 16)
    p8 = separable(p8 + _doubled(p16), 8)
    return [
        {name: _separable(p, layers[n], mask(STRIDES[n])) for name, layers in weights.heads.items()}
        for n, p in enumerate((p8, p16, p32))
    ]


def _separable(x: Tensor, layer: Separable, mask: Tensor) -> Tensor:
    x = (keras.ops.matmul(x, layer.pointwise) + layer.pointwise_bias) * mask
    # As a sum of products: XLA makes one kernel of it, with the mask and the activation. cuDNN is
    # slow at convolutions of single channels.
    rows, columns = x.shape[1:3]
    x = keras.ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    total = layer.depthwise_bias
    for row, column in np.ndindex(3, 3):
        part = x[:, row : row + rows, column : column + columns]
        total = total + part * layer.depthwise[row, column]
    return total


def _halved(x: Tensor) -> Tensor:
    return keras.ops.max_pool(x, 2, strides=2, padding="valid", data_format="channels_last")


def _doubled(x: Tensor) -> Tensor:
    return keras.ops.repeat(keras.ops.repeat(x, 2, axis=1), 2, axis=2)


def _best(levels: Sequence[dict[str, Tensor]], mask: Mask, side: int, count: int) -> Tensor:
    """Choose the candidates with the highest scores, and decode only those."""
    ops = keras.ops
    scores, numbers, places = [], [], []
    for stride, heads in zip(STRIDES, levels, strict=True):
        likely = ops.sigmoid(heads["cls"]) * ops.sigmoid(heads["obj"])
        flat = (-1, (side // stride) ** 2)
        scores.append(ops.reshape(ops.sqrt(likely) * mask(stride), flat))
        both = ops.concatenate([heads["bbox"], heads["kps"]], axis=-1)
        numbers.append(ops.reshape(both, (*flat, FACE_NUMBERS - 1)))
        places.append(_places(side, stride))
    best, cells = ops.top_k(ops.concatenate(scores, axis=1), count)
    chosen = ops.take_along_axis(ops.concatenate(numbers, axis=1), cells[:, :, None], axis=1)
    place = ops.take(np.concatenate(places), cells, axis=0)
    corner, stride = place[:, :, :2], place[:, :, 2:]
    centre = (corner + chosen[:, :, :2]) * stride
    sides = ops.exp(chosen[:, :, 2:4]) * stride
    points = (ops.tile(corner, (1, 1, 5)) + chosen[:, :, 4:]) * stride
    return ops.concatenate([centre - sides / 2, sides, points, best[:, :, None]], axis=-1)


def _places(side: int, stride: int) -> NDArray[np.float32]:
    """Return the column, the row and the stride of each cell of a level, row by row."""
    row, column = np.divmod(np.arange((side // stride) ** 2), side // stride)
    return np.stack([column, row, np.full_like(row, stride)], axis=1).astype(np.float32)
