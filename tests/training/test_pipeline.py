"""Train, resume, evaluate, export, serve: the whole way, on pictures drawn for it."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest
import skimage
import tensorflow as tf

from tests.training import generated
from training.cli import main
from training.curves import CURVES, PLOT, Row, read
from training.datasets import open_data, read_faces
from training.export import MODEL_CARD
from training.run_config import RunConfig, RuntimeOptions, Stage
from training.run_folder import CHECKPOINT, RUN, RunFolder
from training.train import Training
from worker.inference.crop import preprocess
from worker.inference.engines.choose import ENGINES, build_engine
from worker.model import release

STAGES = (Stage(28, 3, 4, 1e-3), Stage(32, 2, 4, 1e-3))
CONFIG = RunConfig(stages=STAGES, validations=1, mixup=0.1, seed=3)
# Three runs on a machine that is busy with other tests.
pytestmark = pytest.mark.timeout(1800)
NO_CHECKPOINTS = RuntimeOptions(checkpoint_minutes=60, workers=1)


@dataclass(frozen=True)
class Run:
    folder: Path
    data: Path


def begin(folder: Path, data: Path) -> Training:
    faces = read_faces(open_data(data).entries("train"), RunFolder(folder, CONFIG, {}).card(28))
    valid = read_faces(open_data(data).entries("valid"), RunFolder(folder, CONFIG, {}).card(28))
    about = {
        "path": str(data),
        "layout": "FER+",
        "split": "train",
        "pictures": len(faces),
        "sha256": faces.sha256(),
    }
    run = RunFolder.create(folder, CONFIG, about)
    return Training(faces, valid.labelled(), run, NO_CHECKPOINTS)


@pytest.fixture(scope="module", autouse=True)
def untraced() -> Iterator[None]:
    """Nine graphs of thirteen layers take longer to trace than these few steps do to run."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    root = tmp_path_factory.mktemp("training")
    data = generated.ferplus(root / "ferplus", per_emotion=2)
    assert begin(root / "run", data).run(resume=False)
    return Run(root / "run", data)


@pytest.fixture(scope="module")
def released(uninterrupted: Run) -> Path:
    out = uninterrupted.folder.parent / "tiny"
    assert main(["export", str(uninterrupted.folder), "--out", str(out), "--version", "0.9"]) == 0
    return out


def curve(folder: Path) -> list[tuple[int, float, float, float | None]]:
    def without_time(row: Row) -> tuple[int, float, float, float | None]:
        return row.step, row.rate, row.loss, row.valid_accuracy

    return [without_time(row) for row in read(folder)]


def test_a_resumed_run_has_the_curve_and_the_weights_of_an_uninterrupted_one(
    uninterrupted: Run, tmp_path: Path
) -> None:
    training = begin(tmp_path / "run", uninterrupted.data)
    training.stop.set()  # as SIGTERM does: it ends after its first step
    assert not training.run(resume=False)
    assert len(read(tmp_path / "run")) == 1
    arguments = ["train", str(uninterrupted.data), "--out", str(tmp_path / "run"), "--resume"]
    assert main([*arguments, "--workers", "2"]) == 0
    assert curve(tmp_path / "run") == curve(uninterrupted.folder)
    one, other = (
        release.load(str(RunFolder.open(folder).last_stage())).weights
        for folder in (tmp_path / "run", uninterrupted.folder)
    )
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


def test_a_run_says_what_it_does_how_good_it_is_and_what_comes_next(
    uninterrupted: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    stages = ["--stage", "28:2:4:1e-3", "--validations", "2"]
    assert main(["train", str(uninterrupted.data), "--out", str(run), *stages]) == 0
    lines = capsys.readouterr().out.splitlines()
    validated = [row.valid_accuracy for row in read(run)]
    for step, accuracy in enumerate(validated, start=1):
        assert accuracy is not None
        assert f"validation accuracy after step {step}: {accuracy:.1%}" in lines
    last = lines.index(f"validation accuracy after step 2: {validated[1]:.1%}")
    assert [line for line in lines[last:] if not line.startswith("[")][1:] == [
        "stage 1 is trained; averaging its weights ...",
        f"wrote {run / 'stage-1-28'}",
        "drawing the curves ...",
        f"{run}: finished",
        f"next: emotion-streams export {run} --out NAME",
    ]


def test_a_run_of_before_webcams_were_imitated_is_exported_and_resumed(
    uninterrupted: Run, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(uninterrupted.folder, run)
    about = json.loads((run / RUN).read_text())
    for name in ("p_low_light", "p_motion_blur", "p_colour_cast", "p_partial", "p_head_turn"):
        del about["config"]["augmentation"][name]
    (run / RUN).write_text(json.dumps(about))
    assert RunFolder.open(run).config.augmentation.p_head_turn == 0
    assert main(["export", str(run), "--out", str(tmp_path / "out")]) == 0
    assert main(["train", str(uninterrupted.data), "--out", str(run), "--resume"]) == 0


def test_an_export_that_chooses_its_adjustment_scores_each_half_by_the_other_one(
    uninterrupted: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "chosen"
    assert (
        main(["export", str(uninterrupted.folder), "--out", str(out), "--logit-adjust", "auto"])
        == 0
    )
    said = capsys.readouterr()
    assert f"next: emotion-streams worker --model {out}" in said.out
    card = release.load(str(out)).card
    chosen = card.scores["logit_adjustment"]
    assert card.training.get("logit_adjustment", 0.0) == chosen["tau"]
    assert len(chosen["halves"]) == 2
    for row in card.scores["per_class"].values():
        low, high = row["f1_interval"]
        assert low <= row["f1"] <= high
    document = (out / MODEL_CARD).read_text()
    assert "Each half of them was scored" in " ".join(document.split())


@pytest.mark.parametrize("spoilt", ["the loss is nan at step 2", "not finite after step 2"])
def test_a_run_that_diverges_ends_and_keeps_its_checkpoint(
    spoilt: str,
    uninterrupted: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def diverge(model: keras.Model, *_: object) -> float:
        if "loss" in spoilt:
            return float("nan")
        model.trainable_variables[0].assign(model.trainable_variables[0] * float("nan"))
        return 1.0

    run = tmp_path / "run"
    training = begin(run, uninterrupted.data)
    training.stop.set()
    training.run(resume=False)
    before = (run / CHECKPOINT).read_bytes()
    arguments = ["train", str(uninterrupted.data), "--out", str(run), "--resume"]
    with monkeypatch.context() as patched:
        patched.setattr(keras.Model, "train_on_batch", diverge)
        assert main([*arguments, "--checkpoint-minutes", "0"]) == 2
    assert spoilt in capsys.readouterr().err
    assert (run / CHECKPOINT).read_bytes() == before
    assert main(arguments) == 0
    assert curve(run) == curve(uninterrupted.folder)


def test_curves_are_on_the_disk_before_the_checkpoint_that_needs_them(
    uninterrupted: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    training = begin(tmp_path / "run", uninterrupted.data)
    training.stop.set()
    monkeypatch.setattr(os, "fsync", fsync)
    training.run(resume=False)
    assert synced[-2:] == [CURVES, f"{CHECKPOINT}.partial"]


def test_a_split_without_agreed_labels_is_not_a_validation_split(tmp_path: Path) -> None:
    data = tmp_path / "ferplus"
    generated.write_ferplus(data, "train", [("a.png", {"fear": 9})])
    generated.write_ferplus(data, "valid", [("a.png", {"fear": 5, "anger": 5})])
    run = tmp_path / "run"
    assert main(["train", str(data), "--out", str(run), "--stage", "28:1:1:1e-3"]) == 0
    assert [row.valid_accuracy for row in read(run)] == [None]


def test_two_processes_never_train_one_run(
    uninterrupted: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", str(uninterrupted.data), "--out", str(uninterrupted.folder), "--resume"]
    with RunFolder.open(uninterrupted.folder).locked():
        assert main(arguments) == 2
    assert "another process is training this run" in capsys.readouterr().err


def test_a_run_leaves_a_release_per_stage_and_its_curves(uninterrupted: Run) -> None:
    for number, (stage, side) in enumerate((("stage-1-28", 28), ("stage-2-32", 32))):
        card = release.load(str(uninterrupted.folder / stage)).card
        sides = [stage["side"] for stage in card.training["config"]["stages"]]
        assert sides == [28, 32][: number + 1]  # not what was still to come
        assert card.input_size == side
        assert card.training["data"]["pictures"] == 16
        assert card.training["start"] is None
    assert (uninterrupted.folder / PLOT).read_bytes().startswith(b"\x89PNG")
    validated = [row.step for row in read(uninterrupted.folder) if row.valid_accuracy is not None]
    assert validated == [3, 5]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_release_serves_on_every_engine_what_evaluation_said(
    released: Path,
    uninterrupted: Run,
    engine: str,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    scores = evaluated(capfd, str(released), uninterrupted.data, engine, tmp_path)
    assert scores["engine"] == engine
    assert scores["count"] == 16
    assert set(scores["per_class"]) == set(release.load(str(released)).card.labels)
    assert {"accuracy", "macro_f1", "ece", "ece_before"} <= set(scores)
    assert (tmp_path / "confusion.png").is_file()
    assert (tmp_path / "reliability.png").is_file()
    served = served_accuracy(released, uninterrupted.data, engine)
    assert scores["accuracy"] == pytest.approx(served, abs=1e-4)


def test_a_stage_is_exported_as_its_run_is_and_its_logits_are_adjusted_once(
    uninterrupted: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, stage = tmp_path / "first", uninterrupted.folder / "stage-1-28"
    assert main(["export", str(stage), "--out", str(out), "--logit-adjust", "0.5"]) == 0
    card = release.load(str(out)).card
    assert card.input_size == 28
    assert card.training["logit_adjustment"] == 0.5
    again = ["--out", str(tmp_path / "again"), "--data", str(uninterrupted.data)]
    assert main(["export", str(out), *again, "--logit-adjust", "0.5"]) == 2
    assert "its logits are adjusted already" in capsys.readouterr().err


def test_a_run_on_undivided_data_is_not_scored_on_what_it_was_trained_on(
    uninterrupted: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(uninterrupted.folder, run)
    about = json.loads((run / RUN).read_text())
    about["data"]["path"] = str(generated.folders(tmp_path / "whole", ["fear", "anger"]))
    (run / RUN).write_text(json.dumps(about))
    assert main(["export", str(run), "--out", str(tmp_path / "out")]) == 2
    assert "give --data" in capsys.readouterr().err


def test_a_run_goes_on_only_from_what_it_began_from(
    released: Path, uninterrupted: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = tmp_path / "start"
    shutil.copytree(released, start)
    run, data = tmp_path / "run", str(uninterrupted.data)
    folder = RunFolder.create(run, replace(CONFIG, start=str(start)), {"sha256": sha256(data)})
    assert folder.start
    assert folder.start["name"] == "tiny"
    other = release.load("simpnet-v2-32")
    release.save(start, other.card, other.weights)
    assert main(["train", data, "--out", str(run), "--resume"]) == 2
    assert "started from tiny 0.9, which has been replaced" in capsys.readouterr().err


def test_a_slim_run_learns_from_its_teacher_and_serves_on_every_engine(
    released: Path, uninterrupted: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    teacher, run, out = tmp_path / "teacher", tmp_path / "run", tmp_path / "slim"
    shutil.copytree(released, teacher)
    data = str(uninterrupted.data)
    slim = ["--architecture", "simpnet-v2-slim", "--teacher", str(teacher)]
    stage = ["--stage", "28:2:4:1e-3", "--distillation", "0.25"]
    assert main(["train", data, "--out", str(run), *stage, *slim]) == 0
    assert main(["export", str(run), "--out", str(out)]) == 0
    model = release.load(str(out))
    assert model.card.architecture == "simpnet-v2-slim"
    assert str(tmp_path) not in model.card.to_json()  # paths are not for others
    assert model.weights["conv13/kernel"].shape == (3, 3, 96, 128)
    text = " ".join((out / MODEL_CARD).read_text().split())
    assert "SimpNet V2 slim (arXiv:1802.06205), 649,672 parameters" in text
    assert "25% of each target are the probabilities of tiny 0.9" in text
    crops = np.random.default_rng(0).integers(0, 255, (2, 28, 28, 3), np.uint8)
    first, *others = (build_engine(engine, model, 1).classify(crops) for engine in ENGINES)
    for other in others:
        np.testing.assert_allclose(other, first, atol=0.1)  # OpenVINO computes in int8
    replacement = release.load("simpnet-v2-32")
    release.save(teacher, replacement.card, replacement.weights)
    assert main(["train", data, "--out", str(run), "--resume"]) == 2
    assert "has the teacher tiny 0.9, which has been replaced" in capsys.readouterr().err


@pytest.mark.parametrize("detector", ["none", "haar"])
def test_colour_photographs_in_one_split_are_judged_without_naming_it(
    detector: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    portrait = cv2.imread(str(Path(skimage.__file__).parent / "data" / "astronaut.png"))
    assert portrait is not None
    for split, emotion in (("test", "Happy"), ("test", "sad")):
        generated.write_picture(tmp_path / split / emotion / "1.png", np.asarray(portrait))
    (tmp_path / "test" / "sad" / "broken.jpg").write_bytes(b"no picture")
    arguments = ["evaluate", "simpnet-v2-32", str(tmp_path), "--engine", "mnn", "--json"]
    assert main([*arguments, "--detect", detector]) == 0
    said = capfd.readouterr()
    scores = json.loads(said.out)
    assert scores["data"]["split"] == "test"
    assert scores["count"] == 2
    assert scores["left_out"] == {"unreadable": 1}
    assert "sad/broken.jpg" in said.err
    if detector == "haar":  # she smiles; of the whole scene nothing can be said
        assert scores["accuracy"] == scores["accuracy_missed_as_wrong"] == 0.5


def sha256(data: str) -> str:
    """As a run records it."""
    card = RunFolder(Path(), CONFIG, {}).card(28)
    return read_faces(open_data(Path(data)).entries("train"), card).sha256()


def test_a_release_says_what_it_is(released: Path, uninterrupted: Run) -> None:
    card = release.load(str(released)).card
    assert (card.name, card.version) == ("tiny", "0.9")
    assert set(card.scores["robustness"]) >= {"half resolution", "bar over the eyes"}
    document = (released / MODEL_CARD).read_text()
    for part in ("tiny 0.9", "## Scores", "## Data and terms", "## Procedure", "## Limits"):
        assert part in document
    assert str(uninterrupted.data) not in (released / "card.json").read_text()


def evaluated(
    capfd: pytest.CaptureFixture[str], model: str, data: Path, engine: str, plots: Path
) -> dict[str, Any]:
    arguments = ["evaluate", model, str(data), "--json", "--engine", engine]
    assert main([*arguments, "--plots", str(plots)]) == 0
    scores: dict[str, Any] = json.loads(capfd.readouterr().out)
    return scores


def served_accuracy(model: Path, data: Path, engine_name: str) -> float:
    """As the worker does it: prepare, classify, likeliest label."""
    loaded = release.load(str(model))
    engine = build_engine(engine_name, loaded, threads=1)
    right = []
    for entry in open_data(data).entries("valid"):
        crop = preprocess(entry.read(), loaded.card)
        right.append(engine.classify(crop[np.newaxis])[0].argmax() == entry.label)
    return float(np.mean(right))
