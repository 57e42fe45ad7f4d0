"""SimpNet V2 as a table without any framework. All engines and the training build from it.

Source: Hasanpour et al., "Towards Principled Design of Deep Convolutional Networks: Introducing
SimpNet" (arXiv:1802.06205), in the 5,482,903 parameter form with a 64x64x3 input and 8 classes.
"""

from dataclasses import dataclass
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


BLOCKS: Final = (
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
