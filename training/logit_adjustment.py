"""Logit adjustment after training (Menon et al., arXiv:2007.07314): rare emotions named more often.

`tau` times the logarithm of each emotion's share of the training targets is subtracted from its
logit. At 0 the likeliest emotion is named; at 1 the one whose likelihood rose most above its share,
so that each emotion counts the same however rare it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training import metrics
from training.metrics import Indices
from training.run_config import InvalidConfigError
from worker.model.card import ModelCard
from worker.model.release import Release

Logits = NDArray[np.float64]

TAUS: Final = tuple(round(0.05 * step, 2) for step in range(21))
"""What is chosen among."""

RECORD: Final = "logit_adjustment"
"""Where a card's `training` says the tau that is in its weights; before, it was `favour_rare`."""


@dataclass(frozen=True)
class Chosen:
    """A tau chosen on labelled pictures, and those pictures judged without their own choice.

    `tau` is the best for all of them; `halves` the best for each half of them. `held_out` are the
    logits (n, 8) of all, each half's adjusted by the other half's tau.
    """

    tau: float
    halves: tuple[float, float]
    held_out: Logits


def log_shares(card: ModelCard, share_of: Mapping[str, float]) -> Logits:
    """Of each of the card's labels; 0, no adjustment, for one without a training target."""
    return np.log([share_of[label] or 1.0 for label in card.labels])


def adjust(trained: Release, share_of: Mapping[str, float], tau: float) -> Release:
    """The model with the adjustment in the bias of its last layer, recorded in its card.
    InvalidConfigError if it is adjusted already."""
    refuse_adjusted(trained.card)
    bias = trained.weights["dense/bias"] - tau * log_shares(trained.card, share_of)
    return Release(
        replace(trained.card, training={**trained.card.training, RECORD: tau}),
        {**trained.weights, "dense/bias": bias.astype(np.float32)},
    )


def refuse_adjusted(card: ModelCard) -> None:
    """Raise InvalidConfigError for the card of a model that is adjusted."""
    if tau_of(card.training):
        raise InvalidConfigError(
            f"{card.name}: its logits are adjusted already; export its run instead"
        )


def tau_of(training: Mapping[str, object]) -> float:
    """The tau that a card's `training` records, 0 if none."""
    tau = training.get(RECORD, training.get("favour_rare", 0.0))
    return float(tau) if isinstance(tau, int | float) else 0.0


def choose(logits: Logits, truth: Indices, shares: Logits) -> float:
    """The tau of TAUS with the highest sum of accuracy and macro F1; the smallest of several."""

    def score(tau: float) -> float:
        predicted = np.asarray((logits - tau * shares).argmax(axis=1), np.int64)
        matrix = metrics.confusion(predicted, truth, logits.shape[1])
        return metrics.accuracy(matrix) + metrics.macro_f1(matrix)

    return max(TAUS, key=lambda tau: (score(tau), -tau))


def crossfit(logits: Logits, truth: Indices, shares: Logits) -> Chosen:
    """Choose tau on each half of the pictures for the other, and on all for the release."""
    second = metrics.halves(truth)
    taus = tuple(choose(logits[part], truth[part], shares) for part in (~second, second))
    by_picture = np.where(second, taus[0], taus[1])
    held_out = logits - by_picture[:, np.newaxis] * shares
    return Chosen(choose(logits, truth, shares), (taus[0], taus[1]), held_out)
