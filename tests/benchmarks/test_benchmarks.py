"""The benchmarks start and say what they promise; what they measure is not for a test suite."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import NAMES
from tests.benchmarks.pipeline import summary
from tests.benchmarks.stages import Cost
from tests.benchmarks.system import Published

FOLDER = Path(__file__).parent


def test_every_benchmark_is_a_module_that_says_what_it_is() -> None:
    for name in NAMES:
        text = (FOLDER / f"{name}.py").read_text()
        assert text.startswith('"""')
        assert "def add_arguments(" in text
        assert "def run(" in text
        assert "\nSHORT: Final = {" in text


def test_an_unknown_benchmark_is_refused_with_the_names_that_there_are() -> None:
    command = [sys.executable, "-m", "tests.benchmarks", "warp"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "pipeline" in ended.stderr


def test_a_benchmark_prints_one_json_line_with_what_it_ran_on() -> None:
    options = ["--short", "--seconds", "1"]
    command = [sys.executable, "-m", "tests.benchmarks", "dataplane", *options]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    result = json.loads(printed)
    assert result["benchmark"] == "dataplane"
    assert result["frames_per_s"] > 0
    assert result["options"]["seconds"] == 1  # --short does not overrule what was asked for
    assert {"machine", "cores", "load_average", "at", "versions"} <= result.keys()


def test_efficiency_is_the_rate_over_what_the_cores_could_do_with_the_stages_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tests.benchmarks.machine.cores", lambda: 2)
    alone = [{"decode": Cost(0.001, 0.001), "classify": Cost(0.1, 0.019)}]
    result = summary(alone, [Published(frames=800, faces=2400, seconds=10, worker_cpu_s=18.0)])
    assert result["frames_per_s"] == 80
    assert result["faces_per_s"] == 240
    assert result["efficiency"] == 0.8  # of 2 / 0.02 = 100 frames a second
    assert result["cpu_efficiency"] == round(0.02 * 800 / 18, 3)
