"""The training step in PyTorch, on the variables of the Keras model and of its optimizer.

With PyTorch, Keras' layers compute batch norm and dropout as many small operations over whole
activations. This step computes the same with PyTorch's own kernels in channels-last memory. Its
state is Keras' state, so checkpoints, averaging and validation do not depend on the step.
"""

import math
from typing import Any, Final, TypeAlias

import keras
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's convention
from numpy.typing import NDArray

from training.run_config import RunConfig
from worker.model.architecture import ARCHITECTURES, BATCH_NORM_EPSILON
from worker.model.simpnet import BATCH_NORM_MOMENTUM

Tensor: TypeAlias = torch.Tensor

COMPUTE: Final = {"float32": torch.float32, "mixed_bfloat16": torch.bfloat16}
"""The type of convolutions and activations, by the run's precision. Variables, batch norm's
statistics, the dense layer and the loss are always float32."""


class TorchStep:
    """Trains a model from `network.build` on one batch per call, as `train_on_batch` does.

    Dropout is a function of the run's seed and the step, so that a resumed run repeats it.
    """

    def __init__(self, model: keras.Model, config: RunConfig, shift: NDArray[np.float32]) -> None:
        self._config = config
        self._compute = COMPUTE[config.precision]
        self._keras = model.optimizer
        self._variables = [variable.value for variable in model.trainable_variables]
        self._averages = [average.value for average in self._keras._model_variables_moving_average]
        device = self._variables[0].device
        self._shift = torch.from_numpy(shift).to(device)
        self._draw = _Draw(device, config.seed)
        self._blocks = ARCHITECTURES[config.architecture]
        numbers = range(1, len(self._blocks) + 1)
        self._convolutions = [
            _values(model.get_layer(f"conv{n}"), "kernel", "bias") for n in numbers
        ]
        self._norms = [
            _values(model.get_layer(f"bn{n}"), "gamma", "beta", "moving_mean", "moving_variance")
            for n in numbers
        ]
        self._dense = _values(model.get_layer("dense"), "kernel", "bias")
        self._adam = self._adamw(model)

    def __call__(self, pictures: NDArray[np.float32], targets: NDArray[np.float32]) -> float:
        """Train on float32 pictures (n, side, side, 3) and targets (n, 8); return the loss."""
        device = self._shift.device
        inputs = torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2)
        step = int(self._keras.iterations.value)
        self._draw.begin(step)
        logits = self._forward(inputs.to(self._compute, memory_format=torch.channels_last))
        shares = torch.from_numpy(targets).to(device)
        loss = -(shares * F.log_softmax(logits + self._shift, dim=1)).sum(dim=1).mean()
        gradients = torch.autograd.grad(loss, self._variables)
        with torch.no_grad():
            self._update(gradients, step)
        return float(loss.detach())

    def _forward(self, x: Tensor) -> Tensor:
        """Return the logits, float32 (n, 8), of pictures (n, 3, side, side)."""
        for block, convolution, norm in zip(
            self._blocks, self._convolutions, self._norms, strict=True
        ):
            kernel, bias = convolution
            kernel = kernel.permute(3, 2, 0, 1)
            kernel = kernel.to(self._compute, memory_format=torch.channels_last)
            x = F.conv2d(x, kernel, bias.to(self._compute), padding=block.padding)
            x = _batch_norm(x, *norm)
            if block.pool == "before_activation":
                x = F.max_pool2d(x, 2)
            x = F.relu(x)
            if block is not self._blocks[-1]:
                x = self._draw.dropout(x, self._config.dropout)
            if block.pool == "after_dropout":
                x = F.max_pool2d(x, 2)
        x = self._draw.dropout(x.amax(dim=(2, 3)), self._config.final_dropout)
        return F.linear(x.float(), self._dense[0].T, self._dense[1])

    def _update(self, gradients: tuple[Tensor, ...], step: int) -> None:
        """Apply the gradients in Keras' order: clip, decay, AdamW, average."""
        norm = float(torch.stack([gradient.norm() for gradient in gradients]).norm())
        scale = self._config.clip_norm / max(norm, self._config.clip_norm)
        for variable, gradient in zip(self._variables, gradients, strict=True):
            variable.grad = gradient.contiguous()
            if scale != 1:  # also if it is not a number
                variable.grad.mul_(scale)
        for group in self._adam.param_groups:
            group["lr"] = float(self._keras.learning_rate.value)
            # Keras adds epsilon before it corrects the bias, PyTorch after.
            group["eps"] = self._keras.epsilon / math.sqrt(1 - self._keras.beta_2 ** (step + 1))
        for state in self._adam.state.values():
            state["step"].fill_(step)  # a checkpoint may have been loaded since
        self._adam.step()
        for variable, average in zip(self._variables, self._averages, strict=True):
            variable.grad = None
            average.lerp_(variable, 1 - self._config.ema if step else 1.0)
        self._keras.iterations.value.add_(1)

    def _adamw(self, model: keras.Model) -> torch.optim.AdamW:
        """Return PyTorch's AdamW, with the moments of Keras' optimizer as its state."""
        groups: dict[float, list[Tensor]] = {self._config.weight_decay: [], 0.0: []}
        for variable in model.trainable_variables:
            decays = self._keras._use_weight_decay(variable)
            groups[self._config.weight_decay if decays else 0.0].append(variable.value)
        adam = torch.optim.AdamW(
            [{"params": params, "weight_decay": decay} for decay, params in groups.items()],
            betas=(self._keras.beta_1, self._keras.beta_2),
            fused=True,
        )
        moments = zip(self._keras._momentums, self._keras._velocities, strict=True)
        for variable, (first, second) in zip(self._variables, moments, strict=True):
            adam.state[variable] = {
                "step": torch.zeros((), device=variable.device),
                "exp_avg": first.value,
                "exp_avg_sq": second.value,
            }
        return adam


class _Draw:
    """The random numbers of dropout, a function of seed and step."""

    def __init__(self, device: torch.device, seed: int) -> None:
        self._seed = seed
        self._generator = torch.Generator(device)
        self._bits = np.random.SFC64(seed)

    def begin(self, step: int) -> None:
        """Start the random numbers of a step."""
        self._generator.manual_seed((self._seed << 32) + step)
        self._bits = np.random.SFC64((self._seed, step))

    def dropout(self, x: Tensor, rate: float) -> Tensor:
        """Return a copy of x with this share of its values 0 and the others scaled up."""
        if rate == 0:
            return x
        if x.device.type == "cpu":  # PyTorch's generator takes three times as long there
            words = self._bits.random_raw(math.ceil(x.numel() / 4)).view(np.int16)
            numbers = torch.from_numpy(words).as_strided(x.size(), x.stride())
            kept = (numbers >= round(rate * 2**16) - 2**15).to(x.dtype)
        else:
            kept = torch.empty_like(x).bernoulli_(1 - rate, generator=self._generator)
        return x * kept.mul_(1 / (1 - rate))


def _batch_norm(x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """Normalise by the batch, and update the running statistics as Keras does.

    Keras stores the variance of the population; `F.batch_norm` would store that of the sample.
    """
    normalised: Tensor
    normalised, batch_mean, batch_deviation = torch.native_batch_norm(
        x, gamma, beta, None, None, True, 0.0, BATCH_NORM_EPSILON
    )
    with torch.no_grad():
        mean.lerp_(batch_mean, 1 - BATCH_NORM_MOMENTUM)
        variance.lerp_(batch_deviation**-2 - BATCH_NORM_EPSILON, 1 - BATCH_NORM_MOMENTUM)
    return normalised


def _values(layer: Any, *names: str) -> tuple[Tensor, ...]:
    """Return PyTorch's tensors of a layer's variables. Changes in place change the variables."""
    return tuple(getattr(layer, name).value for name in names)
