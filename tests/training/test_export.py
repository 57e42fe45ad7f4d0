"""What may be done to a trained model on its way to a release."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from emotion_streams.emotions import EMOTIONS
from training.export import favour_rare
from training.model_card import render
from worker.model import release
from worker.model.release import Release


@pytest.fixture
def trained() -> Release:
    """A model as training leaves it."""
    found = release.load()
    return replace(found, card=replace(found.card, training={}))


def shares(**known: float) -> Callable[[], dict[str, float]]:
    """Of each emotion; nothing of the others."""
    return lambda: {**dict.fromkeys(EMOTIONS, 0.0), **known}


@pytest.mark.parametrize("strength", [0.25, 1.0])
def test_rare_emotions_gain_on_frequent_ones_by_the_logarithm_of_how_much_rarer_they_are(
    strength: float, trained: Release
) -> None:
    favoured = favour_rare(trained, shares(neutral=0.8, happiness=0.2), strength)
    gained = favoured.weights["dense/bias"] - trained.weights["dense/bias"]
    gain_of = dict(zip(trained.card.labels, gained, strict=True))
    expected = strength * np.log(80 / 20)
    assert gain_of["happiness"] - gain_of["neutral"] == pytest.approx(expected, rel=1e-5)
    assert gain_of["fear"] == 0  # no picture: nothing is known of it
    same = [name for name in trained.weights if name != "dense/bias"]
    assert all(favoured.weights[name] is trained.weights[name] for name in same)


def test_labels_in_another_order_gain_by_name(trained: Release) -> None:
    turned = replace(trained, card=replace(trained.card, labels=trained.card.labels[::-1]))
    favoured = favour_rare(turned, shares(neutral=0.8, happiness=0.2), 1.0)
    gained = favoured.weights["dense/bias"] - trained.weights["dense/bias"]
    gain_of = dict(zip(turned.card.labels, gained, strict=True))
    assert gain_of["happiness"] > gain_of["neutral"] > 0


def test_the_card_says_how_much_rare_emotions_are_favoured(trained: Release) -> None:
    favoured = favour_rare(trained, shares(neutral=0.8, happiness=0.2), 0.25)
    told = {**release.load().card.training, **favoured.card.training}
    assert "0.25 times the logarithm" in render(replace(trained.card, training=told))
    told["favour_rare"] = 0.0
    assert "times the logarithm" not in render(replace(trained.card, training=told))
