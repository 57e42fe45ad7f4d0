"""Fixtures of the deployment's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.processes import Process
from tests.deploy.processes import fleet as running_fleet
from tests.deploy.valkey import Valkey


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """One server with all roles."""
    with Valkey() as server:
        yield server


@pytest.fixture(scope="module")
def fleet(valkey: Valkey, shared: Path) -> Iterator[dict[str, Process]]:
    """The processes at work, by name. They end with the module, since they cost others CPU time."""
    with running_fleet(valkey, shared) as processes:
        yield processes
