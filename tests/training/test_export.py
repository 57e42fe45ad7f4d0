"""What may be done to a trained model on its way to a release."""

from dataclasses import replace

import numpy as np
import pytest

from emotion_streams.emotions import EMOTIONS
from training.logit_adjustment import RECORD, Logits, adjust, choose, crossfit, log_shares
from training.metrics import Indices, accuracy, confusion, halves, macro_f1
from training.model_card import render
from training.run_config import InvalidConfigError
from worker.model import release
from worker.model.release import Release


@pytest.fixture
def trained() -> Release:
    """A model as training leaves it."""
    found = release.load()
    return replace(found, card=replace(found.card, training={}))


def shares(**known: float) -> dict[str, float]:
    """Of each emotion; nothing of the others."""
    return {**dict.fromkeys(EMOTIONS, 0.0), **known}


@pytest.mark.parametrize("tau", [0.25, 1.0])
def test_rare_emotions_gain_on_frequent_ones_by_the_logarithm_of_how_much_rarer_they_are(
    tau: float, trained: Release
) -> None:
    adjusted = adjust(trained, shares(neutral=0.8, happiness=0.2), tau)
    gained = adjusted.weights["dense/bias"] - trained.weights["dense/bias"]
    gain_of = dict(zip(trained.card.labels, gained, strict=True))
    expected = tau * np.log(80 / 20)
    assert gain_of["happiness"] - gain_of["neutral"] == pytest.approx(expected, rel=1e-5)
    assert gain_of["fear"] == 0  # no picture: nothing is known of it
    same = [name for name in trained.weights if name != "dense/bias"]
    assert all(adjusted.weights[name] is trained.weights[name] for name in same)


def test_labels_in_another_order_gain_by_name(trained: Release) -> None:
    turned = replace(trained, card=replace(trained.card, labels=trained.card.labels[::-1]))
    adjusted = adjust(turned, shares(neutral=0.8, happiness=0.2), 1.0)
    gained = adjusted.weights["dense/bias"] - trained.weights["dense/bias"]
    gain_of = dict(zip(turned.card.labels, gained, strict=True))
    assert gain_of["happiness"] > gain_of["neutral"] > 0


def test_the_card_says_how_much_logits_are_adjusted(trained: Release) -> None:
    adjusted = adjust(trained, shares(neutral=0.8, happiness=0.2), 0.25)
    record = {**release.load().card.training, **adjusted.card.training}
    assert "0.25 times the logarithm" in render(replace(trained.card, training=record))
    record[RECORD] = 0.0
    assert "times the logarithm" not in render(replace(trained.card, training=record))


def test_an_adjusted_release_is_not_adjusted_a_second_time() -> None:
    card = release.load("simpnet-v2").card
    assert "0.3 times the logarithm" in render(card)
    with pytest.raises(InvalidConfigError, match="adjusted already"):
        adjust(release.load("simpnet-v2"), shares(neutral=0.8, happiness=0.2), 0.25)


def biased(count: int) -> tuple[Logits, Indices, Logits]:
    """Logits of a model that names the frequent class too often, the truth, the log shares."""
    rng = np.random.default_rng(1)
    log_share = np.log(np.array([0.7, 0.1, 0.1, 0.1]))
    truth = rng.choice(4, count, p=np.exp(log_share)).astype(np.int64)
    logits = rng.normal(0, 1, (count, 4)) + 1.2 * log_share
    logits[np.arange(count), truth] += 1.5
    return logits, truth, log_share


def test_tau_is_the_best_for_accuracy_and_macro_f1() -> None:
    logits, truth, log_share = biased(4000)
    tau = choose(logits, truth, log_share)

    def score(tau: float) -> float:
        matrix = confusion((logits - tau * log_share).argmax(axis=1), truth, 4)
        return accuracy(matrix) + macro_f1(matrix)

    assert score(tau) > max(score(0.0), score(1.0))
    assert 0 < tau < 1


def test_no_picture_is_judged_by_a_tau_that_it_helped_to_choose() -> None:
    logits, truth, log_share = biased(400)
    found = crossfit(logits, truth, log_share)
    second = halves(truth)
    for part, other in ((second, found.halves[0]), (~second, found.halves[1])):
        assert choose(logits[~part], truth[~part], log_share) == other
        np.testing.assert_allclose(found.held_out[part], logits[part] - other * log_share)
    changed = logits.copy()
    changed[second] = np.roll(logits[second], 1, axis=1)
    again = crossfit(changed, truth, log_share)
    assert again.halves[0] == found.halves[0], "the first half's choice does not see the second"


def test_halves_divide_each_class_evenly() -> None:
    truth = np.repeat(np.arange(4), [100, 11, 2, 1]).astype(np.int64)
    second = halves(truth)
    for label, count in ((0, 50), (1, 5), (2, 1)):
        assert abs(int(second[truth == label].sum()) - count) <= 1
    assert second.sum() == 57


def test_an_emotion_without_a_target_is_not_adjusted(trained: Release) -> None:
    found = dict(zip(trained.card.labels, log_shares(trained.card, shares(fear=0.5)), strict=True))
    assert found["fear"] == pytest.approx(np.log(0.5))
    assert found["anger"] == 0
