"""A model of one's own photographs, in a folder per emotion without splits: what its run, its
scores and its card say."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
import tensorflow as tf

from emotion_streams.emotions import EMOTIONS
from tests.training import generated
from training.cli import main
from training.export import MODEL_CARD
from training.run_folder import RUN
from worker.model import release
from worker.model.card import CARD_FILE

pytestmark = pytest.mark.timeout(1800)
NO_YUNET = ("--detector-model", "no-such-file.onnx")


@dataclass(frozen=True)
class Run:
    folder: Path
    data: Path
    held_out: Path

    def export(self, out: Path, *options: str) -> int:
        given = ("--data", str(self.held_out), *NO_YUNET, *options)
        return main(["export", str(self.folder), "--out", str(out), *given])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """One step on four pictures of one face: a fearful one, and three that are angry."""
    root = tmp_path_factory.mktemp("own")
    astronaut = cv2.imread(str(Path(skimage.__file__).parent / "data" / "astronaut.png"))
    assert astronaut is not None
    face = np.asarray(astronaut[20:220, 125:325], np.uint8)
    for name in ("fear/0.png", "anger/0.png", "anger/1.png", "anger/2.png"):
        generated.write_picture(root / "data" / name, face)
    held_out = generated.folders(root / "held-out", ["fear", "anger"], per_folder=2)
    made = Run(root / "run", root / "data", held_out)
    tf.config.run_functions_eagerly(True)
    options = ["--stage", "28:1:2:1e-3", "--colour", "rgb", "--source-size", "96"]
    assert main(["train", str(made.data), "--out", str(made.folder), *options]) == 0
    yield made
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def exported(run: Run) -> Path:
    out = run.folder.parent / "released"
    assert run.export(out, "--logit-adjust", "0.5") == 0
    return out


def test_a_run_records_what_it_was_trained_on(run: Run) -> None:
    about = json.loads((run.folder / RUN).read_text())["data"]
    assert about["split"] == "all"
    shares = {**dict.fromkeys(EMOTIONS, 0.0), "fear": 0.25, "anger": 0.75}
    assert about["target_shares"] == shares


def test_scores_on_what_a_model_was_trained_on_are_called_so(
    run: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    for data, seen in ((run.data, True), (run.held_out, False)):
        assert main(["evaluate", str(run.folder), str(data), "--split", "valid", "--json"]) == 0
        said = capfd.readouterr()
        assert json.loads(said.out)["data"]["split"] == "all"
        assert ("was trained on these very pictures" in said.err) == seen


def test_an_export_adjusts_for_the_shares_in_training_not_in_what_it_is_scored_on(
    run: Run, exported: Path
) -> None:
    before, after = (release.load(str(path)) for path in (run.folder / "stage-1-28", exported))
    gained = after.weights["dense/bias"] - before.weights["dense/bias"]
    gain_of = dict(zip(EMOTIONS, gained, strict=True))
    assert gain_of["fear"] - gain_of["anger"] == pytest.approx(0.5 * np.log(3), rel=1e-5)


def test_crops_are_measured_on_the_runs_own_pictures(run: Run, exported: Path) -> None:
    assert release.load(str(run.folder / "stage-1-28")).card.crop == {}
    crop = release.load(str(exported)).card.crop
    assert set(crop) == {"haar"}
    assert 1.1 < crop["haar"].scale < 3  # the picture is wider than the cascade's box


def test_a_card_says_nothing_that_is_true_of_ferplus_only(exported: Path) -> None:
    document = (exported / MODEL_CARD).read_text()
    for claim in ("FER", "vote", "annotators", "Grey", "grey", "48x48", "web search", "1.065"):
        assert claim not in document
    for fact in (
        "On all pictures of a data set in the layout folder per emotion",
        "Pictures of 96 pixels",
        "Each picture has one label",
        "haar found 4 of 4 faces",
        "Not scored, because the data has no picture: happiness",
    ):
        assert fact in document


def test_an_older_run_is_exported_while_its_data_is_there(
    run: Run, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = Run(tmp_path / "run", run.data, run.held_out)
    shutil.copytree(run.folder, older.folder)
    card = older.folder / "stage-1-28" / CARD_FILE
    about = json.loads(card.read_text())
    del about["training"]["data"]["target_shares"]
    card.write_text(json.dumps(about))
    assert older.export(tmp_path / "out", "--logit-adjust", "0.5") == 0
    one, other = (release.load(str(path)).weights for path in (tmp_path / "out", exported))
    np.testing.assert_array_equal(one["dense/bias"], other["dense/bias"])
    record = json.loads((older.folder / RUN).read_text())
    record["data"]["path"] = str(tmp_path / "gone")
    (older.folder / RUN).write_text(json.dumps(record))
    capsys.readouterr()
    assert older.export(tmp_path / "again", "--logit-adjust", "0.5") == 2
    assert "was trained on is needed, but missing" in capsys.readouterr().err
