"""SimpNet V2's table, its releases and its card."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from emotion_streams import EMOTIONS
from worker.model import release, simpnet
from worker.model.architecture import SIMPNET_V2, SIMPNET_V2_SLIM, parameters, shapes
from worker.model.card import CropGeometry, InvalidReleaseError, ModelCard
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


def test_the_pools_are_where_they_belong(model: keras.Model) -> None:
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


def test_the_slim_network_has_the_same_layers_with_an_eighth_of_the_parameters() -> None:
    slim = simpnet.build(blocks=SIMPNET_V2_SLIM)
    assert slim.count_params() == parameters(SIMPNET_V2_SLIM) == 649_672
    assert parameters(SIMPNET_V2) == 5_482_903
    found = {name: array.shape for name, array in export_weights(slim).items()}
    assert found == shapes(SIMPNET_V2_SLIM)


def test_an_input_too_small_for_the_network_is_refused() -> None:
    with pytest.raises(ValueError, match="28 pixels"):
        simpnet.build(input_size=27)


def test_weights_survive_export_and_import(model: keras.Model) -> None:
    arrays = export_weights(model)
    assert {name: array.shape for name, array in arrays.items()} == shapes()
    other = simpnet.build()
    import_weights(other, arrays)
    pictures = np.random.default_rng(1).random((2, 64, 64, 3), np.float32)
    assert np.array_equal(
        keras.ops.convert_to_numpy(model(pictures)), keras.ops.convert_to_numpy(other(pictures))
    )


def test_the_released_model_is_small_and_knows_all_emotions() -> None:
    folder = release.locate("simpnet-v2")
    released = release.load()
    assert set(released.card.labels) == set(EMOTIONS)
    assert (folder / release.WEIGHTS_FILE).stat().st_size <= 12e6
    assert {"yunet", "haar"} <= released.card.crop.keys()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = release.locate("simpnet-v2")
    for name in ("weights.npz", "int8.npz", "card.json"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    return tmp_path


def test_a_release_survives_saving_and_loading(tmp_path: Path) -> None:
    original = release.load()
    written = release.save(tmp_path, original.card, original.weights)
    again = release.load(str(tmp_path))
    assert again.card == written
    assert again.int8 is None  # weights alone were saved
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
        (edit_card(lambda card: card.update(input_size="big")), "field input_size 'big'"),
        (edit_card(lambda card: card.update(input_size=32.0)), "field input_size 32.0"),
        (edit_card(lambda card: card.update(source_size=32.5)), "field source_size 32.5"),
        (edit_card(lambda card: card.update(source_size=True)), "field source_size True"),
        (edit_card(lambda card: card.update(architecture="vgg")), "architecture 'vgg' is unknown"),
        (edit_card(lambda card: card.update(architecture=[])), "architecture \\[\\] is unknown"),
        (
            edit_card(lambda card: card.update(architecture="simpnet-v2-slim")),
            r"int8.npz: no int8 weights: conv1",
        ),
        (edit_card(lambda card: card.update(temperature=0)), "field temperature"),
        (edit_card(lambda card: card.update(temperature=True)), "field temperature True"),
        (edit_card(lambda card: card.update(temperature=float("inf"))), "field temperature inf"),
        (edit_card(lambda card: card.update(name=5)), "field name 5 is not text"),
        (edit_card(lambda card: card.update(name="\ud800")), "name .* is not printable"),
        (edit_card(lambda card: card.update(version=1.0)), "field version 1.0 is not text"),
        (edit_card(lambda card: card.update(labels=5)), "field labels 5"),
        (edit_card(lambda card: card.update(labels=[*EMOTIONS[1:], 5])), "field labels"),
        (edit_card(lambda card: card.update(crop=[])), "field crop"),
        (edit_card(lambda card: card.update(scores=[])), "field scores"),
        (edit_card(lambda card: card["crop"].update(haar={"scale": 99})), "field crop.haar.scale"),
        (edit_card(lambda card: card["crop"].update(haar={})), "crop.haar.scale is missing"),
        (
            edit_card(lambda card: card["crop"]["haar"].update(shift_x=float("nan"))),
            "field crop.haar.shift_x nan",
        ),
        (lambda folder: (folder / "card.json").write_text("[" * 200_000), "nested too deeply"),
        (lambda folder: (folder / "weights.npz").unlink(), "weights.npz: No such file"),
        (lambda folder: (folder / "weights.npz").write_bytes(b"x"), "sha256"),
        (lambda folder: (folder / "int8.npz").unlink(), "int8.npz: No such file"),
        (lambda folder: (folder / "int8.npz").write_bytes(b"x"), r"int8.npz: sha256 .* its card"),
        (edit_card(lambda card: card.update(int8=5)), "field int8"),
        (edit_card(lambda card: card["int8"].update(bits=8)), "unknown in int8: bits"),
        (edit_card(lambda card: card["int8"].pop("sha256")), "int8.sha256 is missing"),
        (edit_card(lambda card: card["int8"].update(scores=[])), "int8.scores"),
    ],
)
def test_a_damaged_release_says_which_file_and_what(
    folder: Path, damage: Callable[[Path], object], reason: str
) -> None:
    damage(folder)
    with pytest.raises(InvalidReleaseError, match=reason):
        release.load(str(folder))


def npz(**arrays: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


def zip_of_text() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in shapes():
            archive.writestr(name, "text")
    return buffer.getvalue()


def released_with(**changed: np.ndarray[Any, Any]) -> bytes:
    return npz(**{**release.load().weights, **changed})


def damaged() -> bytes:
    blob = bytearray((release.locate("simpnet-v2") / "weights.npz").read_bytes())
    blob[len(blob) // 2] ^= 0xFF
    return bytes(blob)


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        (lambda: b"", "not an npz archive"),
        (npy, "not an npz archive"),
        (zip_of_text, ""),
        (damaged, ""),
        (lambda: npz(a=np.zeros(1)), "arrays missing"),
        (lambda: released_with(**{"dense/bias": np.zeros(8, int)}), "int64, not floating point"),
        (lambda: released_with(**{"dense/bias": np.full(8, "x")}), "not floating point"),
        (lambda: released_with(**{"bn1/variance": np.full(66, -1.0)}), "below 0"),
    ],
)
def test_any_weights_file_loads_or_is_refused_in_one_line(
    folder: Path, blob: Callable[[], bytes], reason: str
) -> None:
    content = blob()
    (folder / "weights.npz").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    edit_card(lambda card: card.update(weights_sha256=digest))(folder)
    with pytest.raises(
        InvalidReleaseError, match=rf"weights\.npz: no weights: .*{reason}"
    ) as caught:
        release.load(str(folder))
    assert "\n" not in str(caught.value)


def test_an_int8_file_survives_saving_and_loading_and_is_the_same_each_time(folder: Path) -> None:
    loaded = release.load(str(folder))
    before = (folder / "int8.npz").read_bytes()
    assert loaded.int8 is not None
    assert loaded.card.int8 is not None
    card = release.save_int8(folder, loaded.int8, {"accuracy": 0.5}, {"nncf": "3"})
    assert (folder / "int8.npz").read_bytes() == before
    again = release.load(str(folder))
    assert again.card == card
    assert again.card.int8 == replace(
        loaded.card.int8, scores={"accuracy": 0.5}, quantization={"nncf": "3"}
    )


def test_new_weights_leave_no_int8_file_of_the_old_ones(folder: Path) -> None:
    loaded = release.load(str(folder))
    assert release.save(folder, loaded.card, loaded.weights).int8 is None
    assert not (folder / "int8.npz").exists()
    assert release.load(str(folder)).int8 is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dense/kernel": np.zeros((432, 8), np.float32)}, "dense/kernel holds float32, not int8"),
        ({"conv2/scale": np.zeros(128, np.float32)}, "conv2/scale holds a scale that is not above"),
        ({"conv3/bias": np.zeros(3, np.float32)}, r"conv3/bias has shape \(3,\), not \(128,\)"),
        ({"conv4/bias": np.full(128, np.nan, np.float32)}, "conv4/bias holds a value .* finite"),
        ({"conv5/input": np.ones(2, np.float32)}, "conv5/input is not a range: 1.0 to 1.0"),
        ({"other": np.ones(2, np.float32)}, "not this network's"),
        ({"conv1/kernel": np.array([{}])}, ""),
    ],
)
def test_any_int8_file_loads_or_is_refused_in_one_line(
    changes: dict[str, Any], reason: str, folder: Path
) -> None:
    with np.load(folder / "int8.npz") as archive:
        np.savez(folder / "int8.npz", **{**archive, **changes})
    digest = hashlib.sha256((folder / "int8.npz").read_bytes()).hexdigest()
    edit_card(lambda card: card["int8"].update(sha256=digest))(folder)
    with pytest.raises(
        InvalidReleaseError, match=rf"int8\.npz: no int8 weights: .*{reason}"
    ) as caught:
        release.load(str(folder))
    assert "\n" not in str(caught.value)


def test_a_card_that_no_worker_would_understand_is_not_written(tmp_path: Path) -> None:
    original = release.load()
    with pytest.raises(ValueError, match="temperature"):
        release.save(tmp_path, replace(original.card, temperature=0.0), original.weights)
    assert list(tmp_path.iterdir()) == []


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
    with pytest.raises(InvalidReleaseError, match=r"one of .*simpnet-v2"):
        release.load("simpnet-v9")


def test_a_detector_without_crop_geometry_is_refused() -> None:
    card: ModelCard = replace(release.load().card, crop={"haar": CropGeometry(1.0)})
    with pytest.raises(InvalidReleaseError, match="no crop geometry for detector 'yunet'"):
        card.crop_for("yunet")
