"""SimpNet V2 for training: with a loss, an optimizer and averaged weights."""

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.run_config import RunConfig
from worker.model import simpnet
from worker.model.architecture import ARCHITECTURES
from worker.model.keras_weights import export_weights, import_weights
from worker.model.release import load


class ShiftedCrossentropy(keras.losses.Loss):  # type: ignore[misc] # Keras ships no types
    """The cross-entropy of soft targets and logits plus `shift`, float32 (8,)."""

    def __init__(self, shift: NDArray[np.float32]) -> None:
        super().__init__(name="crossentropy")
        self._shift = shift

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss per picture, (n,)."""
        shifted = keras.ops.add(y_pred, self._shift)
        return keras.ops.categorical_crossentropy(y_true, shifted, from_logits=True)


def build(config: RunConfig, shift: NDArray[np.float32]) -> keras.Model:
    """Build and compile the model, with the weights of `config.start` if it names a release.

    The input has any side. Sets Keras' dtype policy and seeds, which are global in the process.
    Raises InvalidReleaseError if the start is invalid.
    """
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    model = simpnet.build(
        input_size=None,
        dropout=config.dropout,
        final_dropout=config.final_dropout,
        blocks=ARCHITECTURES[config.architecture],
    )
    if config.start is not None:
        import_weights(model, load(config.start).weights)
    optimizer = keras.optimizers.AdamW(
        learning_rate=config.stages[0].rate,
        weight_decay=config.weight_decay,
        global_clipnorm=config.clip_norm,
        use_ema=True,
        ema_momentum=config.ema,
    )
    # Decay moves weights towards 0, which does not help biases and batch norm.
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    # TensorFlow's XLA compiles again for each input size, and gains a sixth on a CPU.
    jit = False if keras.backend.backend() == "tensorflow" else "auto"
    model.compile(optimizer=optimizer, loss=ShiftedCrossentropy(shift), jit_compile=jit)
    optimizer.build(model.trainable_variables)
    return model


Step = Callable[[NDArray[np.float32], NDArray[np.float32]], float]
"""Train on one batch of pictures (n, side, side, 3) and targets (n, 8); return its loss."""


def training_step(model: keras.Model, config: RunConfig, shift: NDArray[np.float32]) -> Step:
    """Return the fastest training step of the current backend for a model from `build`."""
    if keras.backend.backend() != "torch":
        return lambda pictures, targets: float(model.train_on_batch(pictures, targets))
    from training.torch_step import TorchStep

    return TorchStep(model, config, shift)


def is_finite(model: keras.Model) -> bool:
    """Return whether every variable of the model and of its optimizer is finite."""
    return all(np.isfinite(variable.numpy()).all() for variable in variables(model))


def variables(model: keras.Model) -> list[Any]:
    """Return the whole state of a model in training, in a fixed order."""
    return [*model.variables, *model.optimizer.variables]


def averaged_weights(
    model: keras.Model, pictures: Iterable[NDArray[np.float32]]
) -> dict[str, NDArray[Any]]:
    """Return a release's arrays of the averaged weights.

    Batch norm's statistics belong to the weights that they were measured with, so they are measured
    again over `pictures`, batches of float32 (n, side, side, 3). The model itself is unchanged.
    """
    before = [variable.numpy().copy() for variable in model.variables]
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momentum = [layer.momentum for layer in norms]
    try:
        model.optimizer.finalize_variable_values(model.trainable_variables)
        for seen, batch in enumerate(pictures):
            for layer in norms:
                layer.momentum = seen / (seen + 1)  # the mean over all batches so far
            model(batch, training=True)
        return export_weights(model)
    finally:
        for layer, value in zip(norms, momentum, strict=True):
            layer.momentum = value
        for variable, array in zip(model.variables, before, strict=True):
            variable.assign(array)
