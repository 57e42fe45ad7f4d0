"""The networks as tables without any framework. All engines and the training build from them.

Source: Hasanpour et al., "Towards Principled Design of Deep Convolutional Networks: Introducing
SimpNet" (arXiv:1802.06205). SimpNet V2 has 5,482,903 parameters with a 64x64x3 input and 8 classes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

INPUT_SIZE: Final = 64
"""Side of the square input in pixels. The shapes of the table are for this size."""

MIN_INPUT_SIZE: Final = 28
"""Smallest side in pixels. On a smaller input the unpadded convolutions leave nothing to pool."""

BATCH_NORM_EPSILON: Final = 1e-3
"""The default of Keras. The engines fold the batch norms into the convolutions."""


@dataclass(frozen=True)
class Block:
    """A 3x3 convolution of stride 1 with bias, batch norm and ReLU.

    `pool` is the position of a 2x2 pool.
    """

    filters: int
    padding: Literal["same", "valid"]
    pool: Literal["none", "before_activation", "after_dropout"] = "none"


Blocks = tuple[Block, ...]
"""The thirteen blocks of a network, in the order of computation."""

SIMPNET_V2: Final[Blocks] = (
    Block(66, "same"),
    Block(128, "same"),
    Block(128, "valid"),
    Block(128, "valid"),
    Block(192, "valid", pool="before_activation"),
    Block(192, "same"),
    Block(192, "same"),
    Block(192, "same"),
    Block(192, "same"),
    Block(288, "same", pool="after_dropout"),
    Block(288, "same"),
    Block(355, "valid"),
    Block(432, "valid"),
)

_SLIM_FILTERS: Final = (32, 64, 64, 64, 64, 80, 80, 80, 80, 80, 80, 96, 128)
"""The widths of the authors' 600,000 parameter form, in multiples of 16: int8 kernels compute 16
outputs at a time, so that this is 8 % faster than the published widths, with 8 % more weights."""

SIMPNET_V2_SLIM: Final[Blocks] = tuple(
    replace(block, filters=filters)
    for block, filters in zip(SIMPNET_V2, _SLIM_FILTERS, strict=True)
)

ARCHITECTURES: Final[Mapping[str, Blocks]] = {
    "simpnet-v2": SIMPNET_V2,
    "simpnet-v2-slim": SIMPNET_V2_SLIM,
}
"""The networks by the name in a model card."""

DEFAULT_ARCHITECTURE: Final = "simpnet-v2"
"""That of a card that does not name one."""


def shapes(blocks: Blocks = SIMPNET_V2, classes: int = 8) -> dict[str, tuple[int, ...]]:
    """Return the shape of every array of a release's weights file, by name."""
    table: dict[str, tuple[int, ...]] = {}
    channels = 3
    for number, block in enumerate(blocks, start=1):
        table[f"conv{number}/kernel"] = (3, 3, channels, block.filters)
        table[f"conv{number}/bias"] = (block.filters,)
        for part in ("gamma", "beta", "mean", "variance"):
            table[f"bn{number}/{part}"] = (block.filters,)
        channels = block.filters
    table["dense/kernel"] = (channels, classes)
    table["dense/bias"] = (classes,)
    return table


def parameters(blocks: Blocks) -> int:
    """Return the number of a network's parameters, for the eight emotions."""
    return sum(math.prod(shape) for shape in shapes(blocks).values())
