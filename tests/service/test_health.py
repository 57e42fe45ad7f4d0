"""/metrics, /healthz and /readyz."""

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from service import health as module
from service.health import Health, HealthServer
from service.metrics import WorkerMetrics, build_info


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def server(health: Health) -> Iterator[HealthServer]:
    registry = CollectorRegistry()
    build_info(registry, "worker", engine="mnn")
    WorkerMetrics(registry).frames.labels("lobby", "analysed").inc(3)
    with HealthServer("127.0.0.1", 0, registry, health) as running:
        yield running


def get(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}") as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_process_is_not_ready_until_it_has_started(health: Health, server: HealthServer) -> None:
    assert get(server, "/readyz") == (503, "starting\n")
    health.started()
    assert get(server, "/readyz") == (200, "ok\n")


def test_a_part_that_fails_makes_it_unready_and_says_why(
    health: Health, server: HealthServer
) -> None:
    health.started()
    health.set("redis", "Redis cannot be reached: refused")
    assert get(server, "/readyz") == (503, "Redis cannot be reached: refused\n")
    assert get(server, "/healthz")[0] == 200
    health.set("redis", None)
    assert get(server, "/readyz")[0] == 200


def test_a_stalled_main_loop_is_not_alive(
    health: Health, server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STALL_S", -1.0)
    assert get(server, "/healthz") == (200, "ok\n")  # it may take its time to start
    health.started()
    assert get(server, "/healthz")[0] == 503


def test_metrics_are_in_prometheus_text(server: HealthServer) -> None:
    status, text = get(server, "/metrics")
    assert status == 200
    assert 'emotion_frames_total{camera="lobby",outcome="analysed"} 3.0' in text
    assert 'process="worker"' in text


def test_another_path_is_not_found(server: HealthServer) -> None:
    assert get(server, "/secret")[0] == 404


def test_a_port_that_is_taken_is_an_error(server: HealthServer) -> None:
    with pytest.raises(OSError, match="in use"):
        HealthServer("127.0.0.1", server.port, CollectorRegistry(), Health())
