"""/metrics, /healthz and /readyz."""

import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPConnection

import pytest
from prometheus_client import CollectorRegistry

from gateway.server import listen
from service import health as module
from service import health_server, limited_server, listening
from service.health import Health
from service.health_server import HealthServer
from service.limited_server import MAX_CONNECTIONS
from service.metrics import WorkerMetrics, build_info
from tests.servers import PATIENCE_S, eventually, free_port


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def server(health: Health) -> Iterator[HealthServer]:
    registry = CollectorRegistry()
    build_info(registry, "worker", engine="mnn")
    WorkerMetrics(registry).frames.ended.labels("lobby", "analysed").inc(3)
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


@pytest.mark.parametrize("path", ["/metrics?x", "/healthz?x=1&y", "/readyz?"])
def test_a_query_is_ignored(health: Health, server: HealthServer, path: str) -> None:
    health.started()
    assert get(server, path)[0] == 200


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/secret"])
def test_head_is_answered_as_get_without_a_body(
    health: Health, server: HealthServer, path: str
) -> None:
    health.started()
    connection = HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", path)
    with connection.getresponse() as whole:
        length = len(whole.read())
    connection.request("HEAD", path)
    with connection.getresponse() as head:
        assert (head.status, head.read()) == (whole.status, b"")
        assert head.headers["Content-Type"] == whole.headers["Content-Type"]
        assert int(head.headers["Content-Length"]) == length
    connection.close()


def status_for(port: int, host: str | None, path: str = "/metrics") -> int:
    connection = HTTPConnection("127.0.0.1", port)
    connection.putrequest("GET", path, skip_host=True)
    if host is not None:
        connection.putheader("Host", host)
    connection.endheaders()
    with connection.getresponse() as reply:
        return reply.status


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:9101", "a.localhost", "127.0.0.1:9101", "10.1.2.3", "[::1]:9101",
     "[2001:db8::7]", socket.gethostname(), "worker.faces.svc:9101", "worker.faces.svc.", None],
)  # fmt: skip
def test_an_address_and_a_name_of_ones_own_are_answered(host: str | None) -> None:
    allowed = ("worker.faces.svc",)
    with HealthServer("127.0.0.1", 0, CollectorRegistry(), Health(), allowed) as server:
        assert status_for(server.port, host) == 200


@pytest.mark.parametrize(
    "host",
    ["rebound.example", "rebound.example:9101", "localhost.rebound.example", "", "[", "::1x"],
)
@pytest.mark.parametrize("path", ["/metrics", "/readyz"])
def test_a_page_whose_name_was_pointed_here_reads_nothing(
    server: HealthServer, host: str, path: str
) -> None:
    assert status_for(server.port, host, path) == 403


def connect(server: HealthServer) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)
    client.sendall(b"GET /metrics HTTP/1.1\r\n")
    return client


def is_closed(client: socket.socket) -> bool:
    """Whether the server has ended the connection without an answer."""
    try:
        return client.recv(1000) == b""
    except ConnectionResetError:
        return True


def test_many_connections_hold_few_threads_and_keep_no_client_out(
    server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if none of them is late."""
    monkeypatch.setattr(limited_server, "REQUEST_S", 10 * PATIENCE_S)
    monkeypatch.setattr(health_server._Handler, "timeout", 10 * PATIENCE_S)
    before = threading.active_count()
    with ExitStack() as ends:
        clients = [ends.enter_context(connect(server)) for _ in range(200)]
        for client in clients[:-MAX_CONNECTIONS]:  # the oldest
            assert is_closed(client)
        eventually(lambda: threading.active_count() - before <= MAX_CONNECTIONS)
        assert get(server, "/metrics")[0] == 200
        assert status_for(server.port, "localhost") == 200


def test_a_request_that_never_ends_is_ended(
    server: HealthServer, capfd: pytest.CaptureFixture[str]
) -> None:
    """However steadily its bytes come."""
    before = threading.active_count()
    with connect(server) as client:
        client.settimeout(0.2)
        end = time.monotonic() + PATIENCE_S
        with suppress(ConnectionError):
            while time.monotonic() < end:
                client.sendall(b"X-More: of it\r\n")
                with suppress(TimeoutError):
                    assert client.recv(1000) == b""
                    break
        assert time.monotonic() < end
    eventually(lambda: threading.active_count() <= before)
    assert capfd.readouterr().err == ""


def test_an_answer_that_takes_long_is_sent(
    health: Health, server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process may have no time at present."""

    def slowly() -> str | None:
        time.sleep(6)
        return None

    monkeypatch.setattr(health, "not_alive", slowly)
    assert get(server, "/healthz") == (200, "ok\n")


def test_a_port_that_is_taken_is_an_error(server: HealthServer) -> None:
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{server.port}: .*in use"):
        HealthServer("127.0.0.1", server.port, CollectorRegistry(), Health())


@pytest.mark.parametrize("host", ["999.1.1.1", "no-such-name.invalid", "192.0.2.1", "2001:db8::1"])
def test_an_address_that_is_not_ours_is_an_error_that_names_it(host: str) -> None:
    with pytest.raises(OSError, match=r"cannot listen on .*: ") as failed:
        HealthServer(host, 0, CollectorRegistry(), Health())
    assert host in str(failed.value)


def has_ipv6_loopback() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6_loopback(), reason="this machine has no IPv6")


@needs_ipv6
@pytest.mark.parametrize(
    ("host", "answers"),
    [
        ("::1", {"[::1]"}),
        ("[::1]", {"[::1]"}),
        ("::", {"[::1]", "127.0.0.1"}),
        ("127.0.0.1", {"127.0.0.1"}),
        ("0.0.0.0", {"127.0.0.1"}),
    ],
)
def test_metrics_are_served_on_ipv6_and_ipv4(host: str, answers: set[str]) -> None:
    with HealthServer(host, 0, CollectorRegistry(), Health()) as server:
        reached = set()
        for address in ("127.0.0.1", "[::1]"):
            try:
                with urllib.request.urlopen(f"http://{address}:{server.port}/metrics"):
                    reached.add(address)
            except OSError:
                pass
        assert reached == answers


@needs_ipv6
def test_the_live_page_is_served_on_ipv6_and_ipv4() -> None:
    with listen("::", 0) as listener:
        for address in ("127.0.0.1", "::1"):
            socket.create_connection((address, listener.getsockname()[1])).close()


def test_every_address_is_ipv4_on_a_machine_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "has_ipv6", lambda: False)
    with HealthServer("::", 0, CollectorRegistry(), Health()) as server:
        assert get(server, "/metrics")[0] == 200


@pytest.mark.parametrize("process", ["worker", "producer", "gateway"])
def test_a_process_that_cannot_serve_its_metrics_names_the_address_and_the_settings(
    process: str,
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", process, "--metrics-host", "2001:db8::1", "--metrics-port",
         str(free_port()), *(("--camera", "lobby") if process == "producer" else ()),
         *(("--port", "0") if process == "gateway" else ())],
        capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(f"{process}: metrics: cannot listen on [2001:db8::1]:")
    assert "(--metrics-host, --metrics-port)" in done.stderr
    assert done.stderr.count("\n") == 1
