"""SimpNet V2 in Keras 3, for any backend. The training and the Keras engine use this model."""

from typing import Final

import keras
from keras import layers

from worker.model.architecture import (
    BATCH_NORM_EPSILON,
    INPUT_SIZE,
    MIN_INPUT_SIZE,
    SIMPNET_V2,
    Blocks,
)

BATCH_NORM_MOMENTUM: Final = 0.95


def build(
    classes: int = 8,
    input_size: int | None = INPUT_SIZE,
    dropout: float = 0.1,
    final_dropout: float = 0.2,
    blocks: Blocks = SIMPNET_V2,
    name: str = "simpnet_v2",
) -> keras.Model:
    """Build SimpNet V2, or a network of other `blocks`, untrained.

    Input: float (batch, input_size, input_size, 3), 0 to 1, RGB. `input_size=None` allows any side,
    because the network is fully convolutional up to its global max pool. Output: float32 logits
    (batch, classes). Layers have the names of the weights file: conv1..13, bn1..13 and dense.

    Raises ValueError if `input_size` is less than MIN_INPUT_SIZE.
    """
    if input_size is not None and input_size < MIN_INPUT_SIZE:
        raise ValueError(f"input_size {input_size} is under {MIN_INPUT_SIZE} pixels")
    picture = keras.Input((input_size, input_size, 3), name="picture")
    x = picture
    for number, block in enumerate(blocks, start=1):
        x = layers.Conv2D(
            block.filters,
            3,
            padding=block.padding,
            kernel_initializer="he_normal",
            name=f"conv{number}",
        )(x)
        x = layers.BatchNormalization(
            momentum=BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON, name=f"bn{number}"
        )(x)
        if block.pool == "before_activation":
            x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
        x = layers.ReLU(name=f"relu{number}")(x)
        if number < len(blocks):
            x = layers.Dropout(dropout, name=f"dropout{number}")(x)
        if block.pool == "after_dropout":
            x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    x = layers.GlobalMaxPooling2D(name="global_pool")(x)
    x = layers.Dropout(final_dropout, name="final_dropout")(x)
    # float32 also with mixed precision: half precision logits harm calibration.
    logits = layers.Dense(classes, dtype="float32", name="dense")(x)
    return keras.Model(picture, logits, name=name)
