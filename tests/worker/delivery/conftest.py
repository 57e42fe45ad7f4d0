"""What all tests of the delivery suppose of the machine: nothing."""

import pytest

from tests.servers import PATIENCE_S
from worker.delivery import camera


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No camera is silent because the machine is slow; a test that waits for silence sets it."""
    monkeypatch.setattr(camera, "SILENCE_S", PATIENCE_S)
    monkeypatch.setattr(camera, "BLOCK_MS", 100)
