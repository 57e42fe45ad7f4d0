"""A release's int8 file: made from training pictures, scored, and refused where it loses much."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training import generated
from training import quantize
from training.cli import main
from training.datasets import Entry, InvalidDataError, open_data
from training.evaluate import Predictions, predict
from training.model_card import render
from training.quantize import Int8UnavailableError, add_int8, compare
from worker.inference.engines.choose import build_engine
from worker.model import release
from worker.model.int8 import INT8_FILE

MODEL = "simpnet-v2-32"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated.ferplus(tmp_path_factory.mktemp("data") / "ferplus", per_emotion=2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A release without an int8 file."""
    model = release.load(MODEL)
    release.save(tmp_path / MODEL, model.card, model.weights)
    return tmp_path / MODEL


def entries(data: Path, split: str) -> list[Entry]:
    return list(open_data(data).entries(split))


def float32(data: Path) -> Predictions:
    model = replace(release.load(MODEL), int8=None)
    return predict(build_engine("mnn", model, 1), model.card, entries(data, "valid"), None)


def test_a_release_is_quantized_on_training_pictures_and_scored_on_others(
    folder: Path, data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["quantize", str(folder), str(data)]) == 0
    assert f"{folder}: int8 5." in capfd.readouterr().out.splitlines()[-1]
    model = release.load(str(folder))
    assert model.int8 is not None
    assert model.card.int8 is not None
    assert model.card.int8.quantization["pictures"] == len(entries(data, "train"))
    assert model.card.int8.scores["count"] == len(entries(data, "valid"))
    assert (folder / "MODEL_CARD.md").read_text() == render(model.card)
    assert "## In int8" in render(model.card)
    assert model.int8["conv1"].high == 1.0  # bytes as they are
    found = predict(build_engine("openvino", model, 1), model.card, entries(data, "valid"), None)
    # Of generated pictures without faces; on FER+ Valid they are the same for 99 %.
    assert (found.predicted == float32(data).predicted).mean() >= 0.75


def test_the_same_pictures_make_the_same_file(folder: Path, data: Path) -> None:
    assert main(["quantize", str(folder), str(data)]) == 0
    first = (folder / INT8_FILE).read_bytes()
    assert main(["quantize", str(folder), str(data)]) == 0
    assert (folder / INT8_FILE).read_bytes() == first


def test_an_int8_file_that_loses_more_than_half_a_point_is_refused(
    folder: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = release.load(MODEL).int8
    assert other is not None
    biased = other["dense"].bias + 9 * np.arange(8, dtype=np.float32)
    wrong = {**other, "dense": replace(other["dense"], bias=biased)}
    monkeypatch.setattr(quantize, "quantize", lambda *_: wrong)
    # As if float32 were never wrong.
    right = replace(float32(data), truth=float32(data).predicted)
    monkeypatch.setattr(quantize, "predict", lambda *_: replace(predict(*_), truth=right.truth))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    train, valid = (entries(data, split) for split in ("train", "valid"))
    with pytest.raises(
        Int8UnavailableError,
        match=r"int8 costs \d+\.\d\d points of accuracy, more than the allowed 0\.5",
    ):
        add_int8(folder, release.load(str(folder)), train, valid, right, 1)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_scores_of_other_pictures_are_not_compared(data: Path) -> None:
    found = float32(data)
    with pytest.raises(InvalidDataError, match="changed since"):
        compare(found, replace(found, names=("others", *found.names[1:])), 1.0)


def test_without_nncf_a_release_goes_without_an_int8_file_and_says_so(
    folder: Path, data: Path, tmp_path: Path
) -> None:
    script = (
        "import sys; sys.modules['nncf'] = None; "
        "from training.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    out = tmp_path / "out"
    command = [sys.executable, "-c", script]
    made = subprocess.run(
        [*command, "export", str(folder), "--out", str(out), "--data", str(data)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    assert "no int8 file: NNCF is needed" in made.stderr
    assert not (out / INT8_FILE).exists()
    assert "int8" not in json.loads((out / "card.json").read_text())
    asked = subprocess.run(
        [*command, "quantize", str(out), str(data)], capture_output=True, text=True, check=False
    )
    assert asked.returncode == 2
    assert "pip install 'emotion-streams[training]'" in asked.stderr.splitlines()[-1]


def test_a_release_that_is_not_there_is_one_line(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["quantize", str(tmp_path / "missing"), str(data)]) == 2
    shutil.copytree(release.locate(MODEL), tmp_path / MODEL)
    (tmp_path / MODEL / INT8_FILE).write_bytes(b"another")
    assert main(["evaluate", str(tmp_path / MODEL), str(data)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "int8.npz: sha256 is" in lines[1]
