"""The training step in PyTorch, in a process of its own: Keras has one backend a process."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="PyTorch is not installed"),
]


def test_the_step_in_pytorch_equals_keras_and_resumes_exactly(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tests.training.torch_steps", str(tmp_path)],
        env={**os.environ, "KERAS_BACKEND": "torch"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
