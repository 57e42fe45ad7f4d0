import shutil
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from tests.training import generated
from training import recipe
from training.cli import main, parser
from training.commands.train import run_config
from training.datasets.ferplus import LABELS, SPLITS
from training.geometry import available_detectors
from training.options import settings
from training.run_config import RunConfig, RuntimeOptions, Stage

ONE_STEP = ("train", "DATA", "--stage", "28:1:1:1e-3")


@pytest.fixture
def data(tmp_path: Path) -> str:
    return str(generated.ferplus(tmp_path / "ferplus", per_emotion=1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inspect", "nowhere"], "nowhere: not there"),
        (["train", "DATA", "--out", "OUT"], "give --stage"),
        (["train", "DATA", "--out", "OUT", "--stage", "64:10"], "not SIDE:STEPS:BATCH:RATE"),
        (["train", "DATA", "--out", "OUT", "--stage", "8:1:1:1e-3"], "side from 28"),
        (["train", "DATA", "--out", "OUT", "--resume"], "not a run"),
        ([*ONE_STEP, "--out", "FILE"], "File exists"),
        ([*ONE_STEP, "--out", "OUT", "--workers", "0"], "workers are 1 or more"),
        ([*ONE_STEP, "--out", "OUT", "--seed", "-1"], "seed are not below 0"),
        ([*ONE_STEP, "--out", "OUT", "--mixup", "nan"], "are finite"),
        (["train", "DATA", "--out", "OUT", "--stage", "600:1:1:1e-3"], "28 to 512"),
        ([*ONE_STEP, "--out", "OUT", "--source-size", "600"], "28 to 512"),
        ([*ONE_STEP, "--out", "OUT", "--architecture", "vgg"], "'vgg' is not one of simpnet-v2"),
        ([*ONE_STEP, "--out", "OUT", "--teacher", "no-such-model"], "no model 'no-such-model'"),
        ([*ONE_STEP, "--out", "OUT", "--distillation", "0"], "distillation is above 0"),
        (
            [*ONE_STEP, "--out", "OUT", "--teacher", "simpnet-v2", "--colour", "rgb"],
            "for grey pictures of 48 pixels, the run has rgb ones of 48",
        ),
        (
            [
                *ONE_STEP,
                "--out",
                "OUT",
                "--start",
                "simpnet-v2",
                "--architecture",
                "simpnet-v2-slim",
            ],
            "simpnet-v2 is a simpnet-v2, and the run's architecture is simpnet-v2-slim",
        ),
        (["evaluate", "simpnet-v2", "DATA", "--plots", "FILE"], "File exists"),
        (["export", "simpnet-v2", "--data", "DATA", "--out", "FILE"], "File exists"),
        (
            ["export", "simpnet-v2", "--out", "OUT", "--logit-adjust", "nan"],
            "--logit-adjust is 0 to 1",
        ),
        (["export", "simpnet-v2", "--out", "OUT", "--logit-adjust", "auto"], "adjusted already"),
        (["train", "DATA", "--out", "OUT", "--recipe", "none"], "no recipe 'none', only ft32"),
        (["inspect", "DATA", "--sheet", "FOLDER"], "Is a directory"),
        (["evaluate", "no-such-model", "DATA"], "no model 'no-such-model'"),
        (["evaluate", "simpnet-v2", "DATA", "--split", "test"], "no split 'test'"),
        (["evaluate", "simpnet-v2", "DATA", "--detect", "yunet", "--detector-model", "x"], "YuNet"),
        (["export", "no-such-run", "--out", "OUT"], "no model 'no-such-run'"),
        (["geometry", "DATA", "--detect", "haar", "--every", "0"], "--every is 1 or more"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(
    arguments: list[str],
    message: str,
    data: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    paths = {
        "DATA": data,
        "OUT": str(tmp_path / "out"),
        "FILE": str(tmp_path / "file"),
        "FOLDER": str(tmp_path / "folder"),
    }
    assert main([paths.get(argument, argument) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "out").exists()  # a run that cannot be leaves nothing behind


def test_an_unknown_option_is_exit_code_2_too() -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["train", "--no-such-option"])


@pytest.mark.parametrize(
    "command", ["inspect", "train", "evaluate", "export", "geometry", "summary"]
)
def test_every_option_has_help_and_shows_its_default(command: str) -> None:
    commands = next(a for a in parser()._actions if isinstance(a.choices, dict))
    assert commands.choices is not None
    shown = cast("dict[str, ArgumentParser]", commands.choices)[command]
    for action in shown._actions:
        assert action.help or action.dest == "model", action.dest
    help_text = " ".join(shown.format_help().split())
    for field in settings(RunConfig) if command == "train" else ():
        if field.default is not None:
            assert f"{field.metadata['help']} (default: {field.default})" in help_text


def test_options_beside_a_recipe_take_precedence() -> None:
    given = ["train", "DATA", "--out", "RUN", "--recipe", "rel4"]
    assert run_config(parser().parse_args(given)) == recipe.read("rel4")
    changed = run_config(parser().parse_args([*given, "--seed", "9", "--stage", "32:1:1:1e-3"]))
    expected = replace(recipe.read("rel4"), seed=9, stages=(Stage(32, 1, 1, 1e-3),))
    assert changed == expected


def test_options_have_the_defaults_of_the_configuration() -> None:
    options = parser().parse_args(["train", "DATA", "--out", "RUN", "--stage", "32:1:1:1e-3"])
    assert run_config(options) == RunConfig(stages=(Stage(32, 1, 1, 1e-3),))
    assert RuntimeOptions(options.checkpoint_minutes, options.workers) == RuntimeOptions()


def test_inspect_counts_and_draws(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "not-there-yet" / "sheet.png"
    assert main(["inspect", data, "--sheet", str(sheet)]) == 0
    assert "pictures       8      8" in capsys.readouterr().out
    assert sheet.read_bytes().startswith(b"\x89PNG")


def test_names_in_a_zip_cannot_write_to_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generated.folders(tmp_path / "set", ["fear", "anger"])
    (tmp_path / "set" / "fear" / "a\nforged\x1b[2J.png").write_bytes(b"no picture")
    archive = shutil.make_archive(str(tmp_path / "faces"), "zip", tmp_path / "set")
    assert main(["inspect", archive, "--sheet", str(tmp_path / "sheet.png")]) == 0
    assert main(["evaluate", "simpnet-v2", archive, "--split", "train"]) == 0
    lines = [line for line in capsys.readouterr().err.split("\n") if "skipped" in line]
    assert len(lines) == 2
    assert all(r"fear/a\x0aforged\x1b[2J.png" in line for line in lines)


def test_labels_of_validation_that_cannot_be_read_end_a_run_before_it_begins(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = Path(data) / SPLITS["valid"] / LABELS
    labels.write_text(labels.read_text(), encoding="utf-16")
    arguments = ["train", data, "--out", str(tmp_path / "run"), "--stage", "28:1:1:1e-3"]
    assert main(arguments) == 2
    assert "FER2013Valid/label.csv: not in UTF-8" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_second_run_never_overwrites_the_first(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    arguments = ["train", data, "--out", str(tmp_path / "run"), "--stage", "28:1:1:1e-3"]
    assert main(arguments) == 2
    assert "already contains a run" in capsys.readouterr().err


def test_the_summary_is_the_papers_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3:] == ["total 5,482,903", "trainable 5,477,357", "not trainable 5,546"]
    (first,) = (line.split() for line in lines if line.startswith("conv1 "))
    assert first == ["conv1", "64x64x66", "66", "1,848"]
    assert main(["summary", "--architecture", "simpnet-v2-slim"]) == 0
    assert "total 649,672" in capsys.readouterr().out


def test_without_a_home_folder_one_line_says_where_yunet_is_stored(
    data: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_entry(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", no_entry)
    for arguments in (["geometry", data], ["evaluate", "simpnet-v2", data, "--detect", "yunet"]):
        assert main(arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "set XDG_CACHE_HOME" in line
    assert [detector.name for detector in available_detectors(None)] == ["haar"]  # as export does
    assert "set XDG_CACHE_HOME" in capsys.readouterr().err
