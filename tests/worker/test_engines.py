"""One suite for every engine, against Keras in float32 as the reference."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import worker.engines
from worker.engines import Engine, probabilities
from worker.engines.choose import ENGINES, build_engine
from worker.model.release import Release, load


@pytest.fixture(scope="module")
def release() -> Release:
    return load()


@pytest.fixture(scope="module")
def reference(release: Release) -> Engine:
    return build_engine("keras", release, threads=2)


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, release: Release) -> Engine:
    built = build_engine(request.param, release, threads=2)
    built.warm()
    return built


def pictures(release: Release, count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Noise over gradients: neither constant nor without structure."""
    side = release.card.input_size
    noise = np.random.default_rng(seed)
    base = np.linspace(0, 200, side)[np.newaxis, :, np.newaxis, np.newaxis]
    slopes = noise.random((count, 1, 1, 1))
    grey = base * slopes + noise.integers(0, 56, (count, side, side, 1))
    return np.repeat(grey.astype(np.uint8), 3, axis=3)


def test_no_engine_is_left_out() -> None:
    folder = Path(worker.engines.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "choose"}
    assert modules == set(ENGINES)


def test_a_row_of_probabilities_per_crop(engine: Engine, release: Release) -> None:
    for count in (1, 3, engine.max_batch):
        rows = engine.classify(pictures(release, count))
        assert rows.shape == (count, 8)
        assert rows.dtype == np.float32
        assert np.allclose(rows.sum(axis=1), 1, atol=1e-5)


def test_the_place_in_a_batch_changes_nothing(engine: Engine, release: Release) -> None:
    crops = pictures(release, engine.max_batch)
    together = engine.classify(crops)
    alone = np.concatenate([engine.classify(crop[np.newaxis]) for crop in crops])
    assert np.abs(together - alone).max() < 1e-4


def test_every_engine_answers_as_keras_does(
    engine: Engine, reference: Engine, release: Release
) -> None:
    crops = pictures(release, 200, seed=1)
    for start in range(0, len(crops), engine.max_batch):
        part = crops[start : start + engine.max_batch]
        expected, found = reference.classify(part), engine.classify(part)
        assert np.abs(expected - found).max() < 1e-3
        top = np.sort(expected, axis=1)
        clear = top[:, -1] - top[:, -2] > 2e-3
        assert np.array_equal(expected.argmax(1)[clear], found.argmax(1)[clear])


def test_the_crops_given_are_not_changed(engine: Engine, release: Release) -> None:
    crops = pictures(release, 2)
    before = crops.copy()
    engine.classify(crops)
    assert np.array_equal(crops, before)


def test_temperature_softens_and_keeps_the_order() -> None:
    logits = np.array([[1.0, 3.0, 2.0]], np.float32)
    sharp, soft = probabilities(logits, 0.5), probabilities(logits, 2.0)
    assert sharp.max() > soft.max()
    assert sharp.argsort().tolist() == soft.argsort().tolist()


def test_huge_logits_do_not_overflow() -> None:
    assert np.isfinite(probabilities(np.array([[1e4, -1e4]], np.float32), 0.7)).all()
