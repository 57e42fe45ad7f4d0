"""compose.yaml as users start it: events flow, Prometheus scrapes, a crash is mended."""

import time
from collections.abc import Iterator

import pytest

from deploy.images.engine import Engine
from tests.images.base import build_valkey
from tests.images.compose import Project, up
from tests.servers import PATIENCE_S, eventually

pytestmark = pytest.mark.timeout(1800)
TARGETS = {"producer", "worker", "gateway", "sink"}


@pytest.fixture(scope="module")
def project(engine: Engine, base: str, yunet_url: str) -> Iterator[Project]:
    assert engine.has_image(base)
    build_valkey(engine)
    with up(engine, yunet_url) as started:
        eventually(started.newest_event_ms, timeout_s=PATIENCE_S, every_s=1)
        yield started


def test_prometheus_scrapes_every_process(project: Project) -> None:
    eventually(lambda: project.healthy_targets() >= TARGETS, timeout_s=PATIENCE_S, every_s=1)


@pytest.mark.parametrize("service", ["sink", "prometheus"])
def test_every_process_is_scraped_again_after_a_crash(service: str, project: Project) -> None:
    project.crash(service)
    eventually(lambda: project.healthy_targets() >= TARGETS, timeout_s=PATIENCE_S, every_s=1)


@pytest.mark.parametrize("service", ["worker", "producer", "gateway", "valkey"])
def test_events_flow_again_after_a_crash(service: str, project: Project) -> None:
    project.crash(service)
    restarted_ms = time.time() * 1000
    eventually(lambda: project.newest_event_ms() > restarted_ms, timeout_s=PATIENCE_S, every_s=0.5)
