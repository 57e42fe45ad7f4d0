"""SimpNet V2's table, its releases and its card."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from emotion_streams import EMOTIONS
from worker.model import release, simpnet
from worker.model.card import CropGeometry, InvalidRelease, ModelCard
from worker.model.keras_weights import export_weights, import_weights

# Each convolution: output side, filters, parameters. The published table of SimpNet V2.
TABLE = [
    (64, 66, 1_848),
    (64, 128, 76_160),
    (62, 128, 147_584),
    (60, 128, 147_584),
    (58, 192, 221_376),
    (29, 192, 331_968),
    (29, 192, 331_968),
    (29, 192, 331_968),
    (29, 192, 331_968),
    (29, 288, 497_952),
    (14, 288, 746_784),
    (12, 355, 920_515),
    (10, 432, 1_380_672),
]


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return simpnet.build()


@pytest.mark.parametrize("number", range(1, 14))
def test_each_convolution_has_its_row_of_the_table(model: keras.Model, number: int) -> None:
    side, filters, parameters = TABLE[number - 1]
    convolution = model.get_layer(f"conv{number}")
    assert convolution.output.shape == (None, side, side, filters)
    assert convolution.kernel_size == (3, 3)
    assert convolution.count_params() == parameters
    assert model.get_layer(f"bn{number}").count_params() == 4 * filters


def test_the_pools_stand_where_they_belong(model: keras.Model) -> None:
    names = [layer.name for layer in model.layers]
    assert names.index("bn5") + 1 == names.index("pool5") == names.index("relu5") - 1
    assert names.index("dropout10") + 1 == names.index("pool10")
    assert model.get_layer("pool5").output.shape == (None, 29, 29, 192)
    assert model.get_layer("pool10").output.shape == (None, 14, 14, 288)
    assert model.get_layer("global_pool").output.shape == (None, 432)
    assert model.get_layer("dense").count_params() == 3_464


def test_the_parameters_add_up(model: keras.Model) -> None:
    assert model.count_params() == 5_482_903
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert trainable == 5_477_357
    assert model.count_params() - trainable == 5_546


def test_an_input_too_small_for_the_network_is_refused() -> None:
    with pytest.raises(ValueError, match="28 pixels"):
        simpnet.build(input_size=27)


def test_weights_survive_export_and_import(model: keras.Model) -> None:
    arrays = export_weights(model)
    assert {name: array.shape for name, array in arrays.items()} == release.shapes()
    other = simpnet.build()
    import_weights(other, arrays)
    pictures = np.random.default_rng(1).random((2, 64, 64, 3), np.float32)
    assert np.array_equal(
        keras.ops.convert_to_numpy(model(pictures)), keras.ops.convert_to_numpy(other(pictures))
    )


def test_the_released_model_is_small_and_knows_all_emotions() -> None:
    folder = release.locate("released")
    released = release.load()
    assert set(released.card.labels) == set(EMOTIONS)
    assert (folder / release.WEIGHTS_FILE).stat().st_size <= 12e6
    assert {"yunet", "haar"} <= released.card.crop.keys()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = release.locate("released")
    for name in ("weights.npz", "card.json"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    return tmp_path


def test_a_release_survives_saving_and_loading(tmp_path: Path) -> None:
    original = release.load()
    written = release.save(tmp_path, original.card, original.weights)
    again = release.load(str(tmp_path))
    assert again.card == written
    assert all(
        np.array_equal(again.weights[name], original.weights[name]) for name in again.weights
    )


def edit_card(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        card = json.loads((folder / "card.json").read_text())
        change(card)
        (folder / "card.json").write_text(json.dumps(card))

    return edit


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / "card.json").unlink(), "card.json: No such file"),
        (lambda folder: (folder / "card.json").write_text("{"), "card.json"),
        (lambda folder: (folder / "card.json").write_text("[]"), "not a JSON object"),
        (edit_card(lambda card: card.update(format=99)), "card format 99"),
        (edit_card(lambda card: card.pop("temperature")), "temperature"),
        (edit_card(lambda card: card.update(colours="grey")), "colours"),
        (edit_card(lambda card: card.update(labels=["fear"])), "eight emotions"),
        (edit_card(lambda card: card.update(input_size=4)), "input_size"),
        (edit_card(lambda card: card.update(input_size="big")), "wrong type"),
        (edit_card(lambda card: card.update(temperature=0)), "temperature"),
        (edit_card(lambda card: card["crop"].update(haar={"scale": 99})), "out of range"),
        (lambda folder: (folder / "weights.npz").unlink(), "weights.npz: No such file"),
        (lambda folder: (folder / "weights.npz").write_bytes(b"x"), "sha256"),
    ],
)
def test_a_damaged_release_says_which_file_and_what(
    folder: Path, damage: Callable[[Path], object], reason: str
) -> None:
    damage(folder)
    with pytest.raises(InvalidRelease, match=reason):
        release.load(str(folder))


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    original = release.load()
    with pytest.raises(ValueError, match="arrays missing: dense/bias"):
        release.save(
            tmp_path,
            original.card,
            {k: v for k, v in original.weights.items() if k != "dense/bias"},
        )
    with pytest.raises(ValueError, match="conv1/bias has shape"):
        release.save(tmp_path, original.card, {**original.weights, "conv1/bias": np.zeros(3)})
    with pytest.raises(ValueError, match="not finite"):
        release.save(
            tmp_path, original.card, {**original.weights, "conv1/bias": np.full(66, np.nan)}
        )


def test_an_unknown_model_name_lists_those_there_are() -> None:
    with pytest.raises(InvalidRelease, match=r"one of .*simpnet-v2"):
        release.load("simpnet-v9")


def test_a_detector_without_crop_geometry_is_refused() -> None:
    card: ModelCard = replace(release.load().card, crop={"haar": CropGeometry(1.0)})
    with pytest.raises(InvalidRelease, match="no crop geometry for detector 'yunet'"):
        card.crop_for("yunet")
