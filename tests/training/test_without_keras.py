"""Each command in a process of its own: what it imports, and what it says of what is not there."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import keras
import pytest

from tests.homeless import HOMELESS, require_homeless
from tests.training import generated
from training.backend import environment
from training.curves import read

BLOCKED = """
import sys
from importlib.machinery import PathFinder
class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        missing = name.split(".")[0] in {"keras", "tensorflow", "jax", "torch"}
        return None if missing else super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = Without
from training.cli import main
sys.exit(main(sys.argv[1:]))
"""
CLIENT_ALONE = BLOCKED.replace(
    '"keras", "tensorflow"',
    '"numpy", "cv2", "matplotlib", "yaml", "pydantic", "prometheus_client", "keras", "tensorflow"',
)
"""What pip installs without an extra."""

# JAX compiles for half a minute where others compute too.
pytestmark = pytest.mark.timeout(1800)


def python(
    *arguments: str, cwd: Path | None = None, behind: Sequence[str] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*behind, sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def homeless(
    *arguments: str, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`python -m training` of a user without a home folder."""
    require_homeless()
    return python("-m", "training", *arguments, cwd=cwd, behind=HOMELESS, **environment)


@pytest.fixture
def data(tmp_path: Path) -> str:
    return str(generated.ferplus(tmp_path / "ferplus", per_emotion=1))


def test_the_command_line_imports_no_keras() -> None:
    assert (
        python("-c", "import sys, training.cli; sys.exit('keras' in sys.modules)").returncode == 0
    )


def test_a_model_is_evaluated_and_data_inspected_without_keras(data: str, tmp_path: Path) -> None:
    evaluated = python("-c", BLOCKED, "evaluate", "simpnet-v2-32", data, "--json")
    assert evaluated.returncode == 0, evaluated.stderr
    scores = json.loads(evaluated.stdout)
    assert scores["engine"] in ("mnn", "openvino")
    assert scores["count"] == 8
    inspected = python("-c", BLOCKED, "inspect", data, "--sheet", str(tmp_path / "sheet.png"))
    assert inspected.returncode == 0, inspected.stderr


COMMANDS = ("inspect", "train", "evaluate", "export", "geometry", "summary")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_needs_no_extra(command: str) -> None:
    shown = python("-c", CLIENT_ALONE, *command.split(), "--help")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("usage: ")


def test_a_command_without_its_extra_names_it_in_a_line(data: str) -> None:
    result = python("-c", CLIENT_ALONE, "inspect", data)
    assert result.returncode == 2
    assert result.stderr.startswith("error: No module named ")
    assert result.stderr.endswith("install 'emotion-streams[training]'\n")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["inspect DATA", "train DATA --out OUT --stage 28:1:1:1e-3"])
def test_commands_that_draw_report_a_missing_matplotlib_before_their_work(
    command: str, data: str, tmp_path: Path
) -> None:
    paths = {"DATA": data, "OUT": str(tmp_path / "out")}
    without = BLOCKED.replace('"keras", "tensorflow", "jax", "torch"', '"matplotlib"')
    result = python("-c", without, *(paths.get(word, word) for word in command.split()))
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("error: No module named 'matplotlib'")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "command", ["evaluate simpnet-v2-32 DATA --detect yunet", "geometry DATA --detect yunet"]
)
def test_a_detector_that_cannot_be_looked_up_without_a_home_is_one_line(
    command: str, data: str
) -> None:
    words = [data if word == "DATA" else word for word in command.split()]
    result = homeless(*words, no_proxy="", https_proxy="http://127.0.0.1:1")
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert "--detector-model" in line


def test_keras_leaves_no_folder_behind_without_a_home(tmp_path: Path) -> None:
    result = homeless("summary", cwd=tmp_path, PYTHONPATH=str(Path.cwd()))
    assert result.returncode == 0, result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_data_set_is_inspected_without_a_home(data: str, tmp_path: Path) -> None:
    result = homeless("inspect", data, "--sheet", str(tmp_path / "sheet.png"))
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["summary", "train DATA --out OUT --stage 28:1:1:1e-3"])
def test_commands_that_need_keras_say_so_in_a_line(command: str, data: str, tmp_path: Path) -> None:
    paths = {"DATA": data, "OUT": str(tmp_path / "out")}
    result = python("-c", BLOCKED, *(paths.get(word, word) for word in command.split()))
    assert result.returncode == 2
    assert result.stderr.startswith("error: Keras cannot run here: No module named 'keras'")
    assert result.stderr.count("\n") == 1


INSTALLED = """
import importlib.util, os, sys
there = sys.argv[1].split(",")
importlib.util.find_spec = lambda name: name in there or None
from training.backend import choose
choose()
print(os.environ.get("KERAS_BACKEND"))
"""


@pytest.mark.parametrize(
    ("installed", "chosen"),
    [("torch,tensorflow", "torch"), ("tensorflow,jax", "tensorflow"), ("jax", "jax"), ("", "None")],
)
def test_the_fastest_backend_that_is_installed_trains(installed: str, chosen: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    arguments = [sys.executable, "-c", INSTALLED, installed]
    assert subprocess.check_output(arguments, env=environment, text=True).strip() == chosen
    environment["KERAS_BACKEND"] = "jax"
    assert subprocess.check_output(arguments, env=environment, text=True).strip() == "jax"


@pytest.mark.parametrize(
    ("backend", "message"),
    [("nonsense", "Unable to import backend"), ("numpy", "'numpy', which cannot train")],
)
def test_a_backend_that_cannot_train_is_named(backend: str, message: str) -> None:
    result = python("-m", "training", "summary", KERAS_BACKEND=backend)
    assert result.returncode == 2
    assert message in result.stderr.splitlines()[-1]


def test_jax_trains_without_a_gpu(data: str, tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path / "run"), "--stage", "28:1:1:1e-3", "--validations", "0"]
    result = python("-m", "training", "train", data, *arguments, KERAS_BACKEND="jax")
    assert result.returncode == 0, result.stderr
    assert len(read(tmp_path / "run")) == 1
    about = json.loads((tmp_path / "run" / "run.json").read_text())["environment"]
    assert about["backend"] == "jax"
    assert about["device"].startswith(f"{os.cpu_count()} CPU cores")


def test_a_run_records_pytorchs_gpus_too(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = SimpleNamespace(__version__="2.9", cuda=SimpleNamespace(device_count=lambda: 2))
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    about = environment()
    assert about["torch"] == "2.9"
    assert about["device"].startswith("2 GPUs, ")


def test_versions_are_known_for_every_variant_of_the_packages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: {}[name])
    assert {"keras", "numpy", "opencv", keras.backend.backend()} <= set(environment())
