"""The images at work, with the limits of compose.yaml: user, capabilities, memory, files, end."""

import json
import re
from typing import Any

import pytest

from deploy.images.dockerfiles import choose
from deploy.images.engine import Engine
from tests.images.services import SERVICES, grace_s
from tests.images.stack import DATABASE, PROCESSES, SECRETS, Container, Stack
from tests.servers import PATIENCE_S, Stopwatch, eventually

pytestmark = pytest.mark.timeout(1800)
COUNT = "SELECT count(*) FROM episodes"
KINDS = [dockerfile.name for dockerfile in choose([])]


@pytest.fixture(params=PROCESSES)
def container(request: pytest.FixtureRequest, stack: Stack) -> Container:
    """Each process of ours, found healthy by its image's own check."""
    found = stack.containers[request.param]
    eventually(found.healthy, timeout_s=PATIENCE_S, every_s=1)
    return found


@pytest.mark.parametrize("kind", KINDS)
class TestImages:
    def test_neither_history_nor_environment_has_a_secret(
        self, kind: str, images: dict[str, str], engine: Engine
    ) -> None:
        history = engine.output("image", "history", "--no-trunc", images[kind])
        environment = engine.inspect("image", images[kind])["Config"]["Env"]
        text = "\n".join([history, *environment])
        assert not re.search(r"(?i)(password|token|secret|_key)\s*=|://[^/\s]*@", text)

    def test_it_runs_as_an_unprivileged_user_and_has_a_health_check(
        self, kind: str, images: dict[str, str], engine: Engine
    ) -> None:
        image = engine.inspect("image", images[kind])
        assert image["Config"]["User"] == "10001:10001"
        assert "healthz" in json.dumps(image.get("HealthCheck") or image["Healthcheck"])

    def test_its_process_starts_with_all_that_it_imports(
        self, kind: str, images: dict[str, str], engine: Engine
    ) -> None:
        hardened = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
        shown = engine.output("run", "--rm", "--network=none", *hardened, images[kind], "--help")
        assert "--metrics-port" in shown

    def test_it_holds_the_code_the_notice_and_no_installer(
        self, kind: str, images: dict[str, str], engine: Engine
    ) -> None:
        look = "ls -A /app /root /tmp /src 2>/dev/null; ls -d /opt/venv/bin/pip*; cat /app/NOTICE"
        run = ("run", "--rm", "--user=0", "--entrypoint=sh", images[kind], "-c")
        found = engine.output(*run, f"{look}; true")
        assert "FFmpeg" in found
        assert "/opt/venv/bin/pip" not in found
        assert not re.search(r"^(\.env|\.git|tests|deploy|\.netrc|pip\.conf)$", found, re.MULTILINE)


def test_a_face_of_the_demo_camera_arrives_at_the_page(stack: Stack) -> None:
    def faces() -> Any:
        try:
            events = stack.get_json("/api/cameras/demo/events")["events"]
        except OSError:
            return []
        return [face for event in events for face in event["faces"]]

    eventually(faces, timeout_s=PATIENCE_S, every_s=1)
    assert "<html" in stack.get("/")


def test_a_visit_to_the_demo_camera_arrives_in_the_database_of_a_sink(stack: Stack) -> None:
    count = f"import sqlite3; print(sqlite3.connect({DATABASE!r}).execute({COUNT!r}).fetchone()[0])"

    def episodes() -> int:
        return int(stack.containers["sink"].exec("python", "-c", count).stdout or 0)

    eventually(episodes, timeout_s=PATIENCE_S, every_s=1)


class TestProcesses:
    def test_has_no_rights_beyond_its_user(self, container: Container) -> None:
        lines = container.exec("cat", "/proc/1/status").stdout.splitlines()
        status = dict(line.split(":\t", 1) for line in lines)
        assert status["Uid"].split() == ["10001"] * 4
        assert {status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2"

    def test_cannot_take_more_memory_or_processes_than_granted(self, container: Container) -> None:
        files = (
            "/sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes "
            "/sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max"
        )
        memory, pids = container.exec("sh", "-c", f"cat {files} 2>/dev/null").stdout.split()
        service = SERVICES[container.service]
        granted = int(service["mem_limit"][:-1]) << {"m": 20, "g": 30}[service["mem_limit"][-1]]
        assert (int(memory), int(pids)) == (granted, service["pids_limit"])

    def test_can_write_nowhere_but_to_tmp(self, container: Container) -> None:
        for folder in ("/", "/app", "/opt/venv", "/etc", "/var/tmp", "/home"):
            assert container.exec("touch", f"{folder}/x").returncode != 0
        assert container.exec("sh", "-c", "touch /tmp/x && rm /tmp/x").returncode == 0

    def test_has_written_nothing_to_its_root(self, container: Container) -> None:
        changed = container.engine.output("diff", container.name).split("\n")
        # Mount points that the engine made, and files that it mounts there.
        made = ("/etc", "/run", "/dev", "/proc", "/sys", "/tmp")
        assert [line for line in changed if line and not line[2:].startswith(made)] == []

    def test_its_log_has_no_secret(self, container: Container) -> None:
        log = container.logs()
        assert log
        assert not [secret for secret in SECRETS.values() if secret in log]


@pytest.mark.parametrize("service", ["producer", "worker", "gateway", "sink"])
def test_ends_by_itself_within_its_grace_at_sigterm(service: str, stack: Stack) -> None:
    container = stack.containers[service]
    watch = Stopwatch()
    stack.engine.output("stop", f"--time={grace_s(service)}", container.name)
    assert watch.read_s() < grace_s(service)
    assert container.state()["ExitCode"] == 0, container.logs()
