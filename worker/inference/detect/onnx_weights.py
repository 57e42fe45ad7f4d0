"""Reads the convolutions of an ONNX file, without a package for it.

An ONNX file is a Protocol Buffers message: pairs of a field's number and its value. The numbers
below are those of onnx.proto.
"""

import math
from collections.abc import Iterator
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Convolution: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32]]
"""The kernel (outputs, inputs per group, rows, columns) and the bias (outputs,)."""

_MODEL_GRAPH: Final = 7
_GRAPH_NODE: Final = 1
_GRAPH_INITIALIZER: Final = 5
_NODE_INPUT: Final = 1
_NODE_OP_TYPE: Final = 4
_TENSOR_DIMS: Final = 1
_TENSOR_DATA_TYPE: Final = 2
_TENSOR_NAME: Final = 8
_TENSOR_RAW_DATA: Final = 9
_FLOAT: Final = 1

_VARINT: Final = 0
_LENGTH_DELIMITED: Final = 2
_FIXED: Final = {1: 8, 5: 4}
"""Bytes of the wire types of fixed size."""


def read_convolutions(model: bytes) -> list[Convolution]:
    """Return the convolutions of an ONNX model in the order of the file.

    Raises ValueError if `model` is not an ONNX model, or if a convolution's weights are not float32
    arrays in the file.
    """
    (graph,) = _values(model, _MODEL_GRAPH) or [b""]
    arrays = dict(map(_array, _values(graph, _GRAPH_INITIALIZER)))
    convolutions = []
    for node in _values(graph, _GRAPH_NODE):
        if _values(node, _NODE_OP_TYPE) != [b"Conv"]:
            continue
        _, *names = _values(node, _NODE_INPUT)
        weights = [array for name in names if (array := arrays.get(name)) is not None]
        if len(weights) != 2:
            raise ValueError("a convolution has no float32 kernel and bias")
        convolutions.append((weights[0], weights[1]))
    return convolutions


def _array(tensor: bytes) -> tuple[bytes, NDArray[np.float32] | None]:
    """Return a tensor's name, and its values if they are float32."""
    fields = list(_fields(tensor))
    (name,) = [value for number, value in fields if number == _TENSOR_NAME] or [b""]
    shape = [value for number, value in fields if number == _TENSOR_DIMS]
    raw = b"".join(_values(tensor, _TENSOR_RAW_DATA))
    sizes = [size for size in shape if isinstance(size, int)]
    if not isinstance(name, bytes) or len(sizes) < len(shape):
        raise ValueError("a tensor without a name or a shape")
    is_float = (_TENSOR_DATA_TYPE, _FLOAT) in fields and len(raw) == 4 * math.prod(sizes)
    return name, np.frombuffer(raw, "<f4").reshape(sizes) if is_float else None


def _values(message: bytes, wanted: int) -> list[bytes]:
    """Return the values of a repeated field whose values are messages or strings."""
    return [
        value for number, value in _fields(message) if number == wanted and isinstance(value, bytes)
    ]


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the number and the value of each field. Raises ValueError if they are malformed."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire_type = key >> 3, key & 7
        if wire_type == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire_type == _LENGTH_DELIMITED:
            length, at = _varint(message, at)
        elif wire_type in _FIXED:
            length = _FIXED[wire_type]
        else:
            raise ValueError("not an ONNX file")
        if at + length > len(message):
            raise ValueError("the ONNX file is cut off")
        yield number, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return the integer at `at`, seven bits a byte, and the position behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("the ONNX file is cut off")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("not an ONNX file")
