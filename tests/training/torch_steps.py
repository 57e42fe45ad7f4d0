"""Run by test_torch_step.py under KERAS_BACKEND=torch, with a folder to write to: compares the step
in PyTorch with that of Keras, and a resumed run with an uninterrupted one."""

import sys
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from training import checkpoint, network
from training.network import training_step, variables
from training.progress import Progress
from training.run_config import RunConfig, Stage
from training.torch_step import TorchStep

STAGE = Stage(28, 4, 6, 1e-3)
SHIFT = np.linspace(-1, 1, 8, dtype=np.float32)


def batch(number: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(number)
    targets = rng.dirichlet(np.ones(8), 6).astype(np.float32)
    return rng.random((6, 28, 28, 3), np.float32), targets


def equals_keras() -> None:
    """Without dropout both steps are the same arithmetic. After a first step of Adam a gradient of
    almost 0 moves its weight by the whole rate in either direction, so a few weights may differ."""
    config = RunConfig((STAGE,), dropout=0, final_dropout=0, weight_decay=0.05, ema=0.9)
    by_keras, by_torch = (network.build(config, SHIFT) for _ in range(2))
    step = training_step(by_torch, config, SHIFT)
    assert isinstance(step, TorchStep)
    for number in range(4):
        rate = 1e-5 * (number + 1)
        by_keras.optimizer.learning_rate = by_torch.optimizer.learning_rate = rate
        expected = float(by_keras.train_on_batch(*batch(number)))
        np.testing.assert_allclose(step(*batch(number)), expected, rtol=3e-3 if number else 1e-5)
        if number == 0:
            same_state(by_torch, by_keras)


def same_state(by_torch: keras.Model, by_keras: keras.Model) -> None:
    for one, other in zip(variables(by_torch), variables(by_keras), strict=True):
        if "conv" in one.path and "bias" in one.path:
            continue  # batch norm takes it off again: its gradient is what rounding leaves
        actual, expected = one.numpy().astype(float), other.numpy().astype(float)
        off = np.abs(actual - expected) > 1e-2 * np.abs(expected).max() + 1e-9
        assert off.mean() < 0.05, f"{one.path}: {off.mean():.2%} differ"


def resumes(folder: Path) -> None:
    """Dropout and all, a checkpoint carries everything."""
    config = RunConfig((STAGE,), dropout=0.3, precision="mixed_bfloat16")
    straight, stopped, resumed = (network.build(config, SHIFT) for _ in range(3))
    for number in range(4):
        TorchStep(straight, config, SHIFT)(*batch(number))
    for number in range(2):
        TorchStep(stopped, config, SHIFT)(*batch(number))
    checkpoint.save(folder, stopped, Progress(2, 1.0))
    step = training_step(resumed, config, SHIFT)
    assert checkpoint.load(folder, resumed).step == 2
    for number in range(2, 4):
        step(*batch(number))
    for one, other in zip(variables(resumed), variables(straight), strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy(), err_msg=one.path)


if __name__ == "__main__":
    assert keras.backend.backend() == "torch"
    equals_keras()
    resumes(Path(sys.argv[1]))
