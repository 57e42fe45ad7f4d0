"""Logit adjustment after training: rare emotions are predicted more often.

`tau` times the logarithm of each emotion's share of the training targets is subtracted from its
logit. At 0 the most probable emotion is predicted; at 1 the one whose probability is highest
relative to its share, so that every emotion has the same weight, however rare it is.

Source: Menon et al., "Long-tail learning via logit adjustment" (arXiv:2007.07314).
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
"""The candidates for tau."""

RECORD: Final = "logit_adjustment"
"""The key in a card's `training` for the tau that is contained in its weights."""


@dataclass(frozen=True)
class Chosen:
    """A tau chosen on labelled pictures, and their logits for cross-fitted scores.

    `tau` is the best one for all pictures, `halves` the best one for each half of them. `held_out`
    are the logits (n, 8), each half adjusted by the tau of the other half.
    """

    tau: float
    halves: tuple[float, float]
    held_out: Logits


def log_shares(card: ModelCard, share_of: Mapping[str, float]) -> Logits:
    """Return the log share of each of the card's labels, float64 (8,); 0 without any target."""
    return np.log([share_of[label] or 1.0 for label in card.labels])


def adjust(trained: Release, share_of: Mapping[str, float], tau: float) -> Release:
    """Return the model with the adjustment in the bias of its last layer and in its card.

    Raises InvalidConfigError if it is adjusted already.
    """
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
    """Return the tau that a card's `training` records, 0 if it records none."""
    tau = training.get(RECORD, 0.0)
    return float(tau) if isinstance(tau, int | float) else 0.0


def choose(logits: Logits, truth: Indices, shares: Logits) -> float:
    """Return the tau of TAUS with the highest sum of accuracy and macro F1.

    `logits` is float64 (n, 8), `truth` int64 (n,), `shares` from `log_shares`. The smallest one
    wins a tie.
    """

    def score(tau: float) -> float:
        predicted = np.asarray((logits - tau * shares).argmax(axis=1), np.int64)
        matrix = metrics.confusion(predicted, truth, logits.shape[1])
        return metrics.accuracy(matrix) + metrics.macro_f1(matrix)

    return max(TAUS, key=lambda tau: (score(tau), -tau))


def crossfit(logits: Logits, truth: Indices, shares: Logits) -> Chosen:
    """Choose tau on each half of the pictures for the other half, and on all for the release."""
    second = metrics.halves(truth)
    taus = tuple(choose(logits[part], truth[part], shares) for part in (~second, second))
    by_picture = np.where(second, taus[0], taus[1])
    held_out = logits - by_picture[:, np.newaxis] * shares
    return Chosen(choose(logits, truth, shares), (taus[0], taus[1]), held_out)
