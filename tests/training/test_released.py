"""What comes with the project: complete, small enough, and as good as its card says."""

from pathlib import Path

import numpy as np
import pytest

from training import metrics
from training.datasets import AMBIGUOUS, Entry, open_data
from training.evaluate import predict
from training.export import MODEL_CARD
from training.model_card import render
from worker.inference.engines.choose import build_engine
from worker.model import release
from worker.model.int8 import INT8_FILE

RELEASES = sorted(path.name for path in release.RELEASED.iterdir())
JUDGED = 240
MEASURED_SINCE_THE_FIRST = {
    *("as it is", "half resolution", "JPEG quality 30", "30 % darker", "30 % brighter"),
    *("tilted by 15 degrees", "bar over the eyes"),
}


@pytest.fixture(scope="module")
def valid(shared: Path) -> list[Entry]:
    archive = shared / "data" / "ferplus-train-valid.zip"
    if not archive.is_file():
        pytest.skip(f"{archive} is missing")
    judged = [e for e in open_data(archive).entries("valid") if e.label != AMBIGUOUS]
    return judged[:: len(judged) // JUDGED]


@pytest.mark.parametrize("name", RELEASES)
def test_a_release_is_complete_and_at_most_12_megabytes(name: str) -> None:
    folder = release.locate(name)
    card = release.load(name).card
    assert card.name == name
    assert {"yunet", "haar"} <= set(card.crop)
    assert (folder / release.WEIGHTS_FILE).stat().st_size <= 12_000_000
    assert (folder / INT8_FILE).stat().st_size <= 6_000_000
    assert (folder / MODEL_CARD).read_text() == render(card)


@pytest.mark.parametrize("name", RELEASES)
def test_a_release_scores_on_a_sample_what_its_card_says(name: str, valid: list[Entry]) -> None:
    model = release.load(name)
    predictions = predict(build_engine("mnn", model, 2), model.card, valid, None)
    accuracy = metrics.accuracy(predictions.matrix())
    assert accuracy == pytest.approx(model.card.scores["accuracy"], abs=0.07)


SAME_EMOTION = {64: 0.98, 32: 0.97}


@pytest.mark.parametrize("name", RELEASES)
def test_a_release_says_in_int8_what_it_says_in_float32(name: str, valid: list[Entry]) -> None:
    model = release.load(name)
    assert model.card.int8 is not None
    scores = model.card.int8.scores
    assert scores["count"] == model.card.scores["count"]
    assert scores["accuracy_float32"] == pytest.approx(model.card.scores["accuracy"], abs=0.001)
    assert scores["accuracy"] >= scores["accuracy_float32"] - 0.005
    assert scores["ece"] <= 0.03
    assert scores["same_emotion"] >= SAME_EMOTION[model.card.input_size]
    float32, int8 = (
        predict(build_engine(engine, model, 2), model.card, valid, None)
        for engine in ("mnn", "openvino")
    )
    assert (float32.predicted == int8.predicted).mean() >= SAME_EMOTION[model.card.input_size]
    assert np.abs(float32.logits - int8.logits).mean() < 0.5


@pytest.mark.parametrize("name", RELEASES)
def test_a_release_is_calibrated_and_robust(name: str) -> None:
    scores = release.load(name).card.scores
    assert scores["ece_crossfitted"] <= 0.03
    corrupted = scores["robustness"]
    assert set(corrupted) >= MEASURED_SINCE_THE_FIRST
    accuracies = [corrupted[name] for name in MEASURED_SINCE_THE_FIRST]
    assert min(accuracies) >= corrupted["as it is"] - 0.12


def test_the_model_that_serves_by_default_reaches_the_goal_of_two_cores() -> None:
    scores = release.load("simpnet-v2").card.scores
    assert scores["accuracy"] >= 0.82
    assert scores["macro_f1"] >= 0.60
