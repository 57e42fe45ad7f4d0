"""Batches of augmented faces.

Each is a function of the run's seed and the step, so that a resumed run computes the same batches
as an uninterrupted one.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray

from training.augment import augment
from training.datasets.entry import Faces
from training.run_config import RunConfig, Stage
from training.teacher import Teacher
from worker.inference.crop import Image, preprocess
from worker.model.card import ModelCard

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Pictures (n, side, side, 3), 0 to 1, and targets (n, 8) that sum to 1."""

AHEAD: Final = 4
"""Batches prepared in advance per thread: OpenCV releases the GIL while the model computes."""


class Batches(keras.utils.PyDataset):  # type: ignore[misc] # Keras ships no types
    """The batches of one stage, by step."""

    def __init__(
        self,
        faces: Faces,
        config: RunConfig,
        stage: int,
        card: ModelCard,
        teacher: Teacher | None = None,
    ) -> None:
        super().__init__()
        self._faces, self._config, self.number = faces, config, stage
        self._stage: Stage = config.stages[stage]
        self._card, self._teacher = card, teacher
        self._sampling_weights = sampling_weights(faces.targets, config.sampling)

    def __len__(self) -> int:
        return self._stage.steps

    def __getitem__(self, step: int) -> Batch:
        rng = np.random.default_rng((self._config.seed, self.number, step))
        chosen = rng.choice(len(self._faces), self._stage.batch, p=self._sampling_weights)
        how = self._config.augmentation
        pictures = [augment(self._faces.pictures[i], rng, how) for i in chosen]
        mixed = _mixup(len(pictures), rng, self._config.mixup)
        targets = mixed(self._faces.targets[chosen])
        if self._teacher is not None:
            share = np.float32(self._config.distillation)
            seen = mixed(_inputs(pictures, self._teacher.card))
            targets = (1 - share) * targets + share * self._teacher.targets(seen)
        return mixed(_inputs(pictures, self._card)), targets

    def from_step(self, first: int, workers: int) -> Iterator[Batch]:
        """Yield the batches from step `first` to the last, prepared in advance by threads."""
        waiting: deque[Future[Batch]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            for step in range(first, len(self)):
                waiting.append(pool.submit(self.__getitem__, step))
                if len(waiting) > AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


def sampling_weights(targets: NDArray[np.float32], power: float) -> NDArray[np.float64]:
    """Return the probability of each picture to be drawn, float64 (n,).

    Emotion k's share of the drawn pictures is proportional to its share of the data to the `power`.
    A picture of several emotions counts as its targets, float32 (n, 8), do.

    Source: Mahajan et al., "Exploring the Limits of Weakly Supervised Pretraining"
    (arXiv:1805.00932), where the power is 1/2.
    """
    frequency = targets.mean(axis=0, dtype=np.float64)
    per_class = np.where(frequency > 0, np.maximum(frequency, 1e-12) ** (power - 1), 0.0)
    weights = targets.astype(np.float64) @ per_class
    return np.asarray(weights / weights.sum(), np.float64)


def logit_adjustment(targets: NDArray[np.float32], power: float) -> NDArray[np.float32]:
    """Return log(share of the drawn pictures / share of the data) per emotion, float32 (8,).

    Added to the logits in training, it makes the model learn the frequencies of the data itself.

    Source: Menon et al., "Long-tail learning via logit adjustment" (arXiv:2007.07314).
    """
    frequency = targets.mean(axis=0, dtype=np.float64)
    drawn = sampling_weights(targets, power) @ targets
    shift = np.log(np.maximum(drawn, 1e-6) / np.maximum(frequency, 1e-6))
    return np.asarray(np.where(frequency > 0, shift, 0.0), np.float32)


def _inputs(pictures: Sequence[Image], card: ModelCard) -> NDArray[np.float32]:
    """Return pictures as the input of a model, 0 to 1."""
    crops = np.stack([preprocess(picture, card) for picture in pictures])
    return crops.astype(np.float32) / np.float32(255)


def _mixup(
    count: int, rng: np.random.Generator, alpha: float
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Draw how a batch is blended, each element with another one (mixup); return the function.

    It is the same for the pictures and their targets.

    Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization" (arXiv:1710.09412).
    """
    if alpha == 0:
        return lambda values: values
    share = np.float32(rng.beta(alpha, alpha))
    other = rng.permutation(count)
    return lambda values: share * values + (1 - share) * values[other]
