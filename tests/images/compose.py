"""The stack of compose.yaml by podman-compose, with stand-ins for images that no registry gives."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.images.engine import Engine
from tests.images.base import BASE, VALKEY
from tests.images.services import DEPLOY
from tests.images.stack import SECRETS, TOKEN, write_sinks
from tests.servers import PATIENCE_S, eventually, free_port

# Grafana and redis_exporter have no stand-in.
SERVICES: Final = ("valkey", "producer", "worker", "gateway", "sink", "prometheus")
_PROMETHEUS: Final = "localhost/emotion-streams-prometheus:stand-in"


@dataclass(frozen=True)
class Project:
    """A stack that is up, on ports of its own."""

    engine: Engine
    name: str
    page: int
    prometheus: int

    def get(self, port: int, path: str) -> Any:
        """An answer in JSON; OSError if there is none."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
            return json.loads(reply.read())

    def newest_event_ms(self) -> int:
        """When the newest analysed picture of the demo camera was captured; 0 if there is none."""
        try:
            events = self.get(self.page, "/api/cameras/demo/events?limit=1")["events"]
        except OSError:
            return 0
        return max((int(event["captured_ms"]) for event in events), default=0)

    def healthy_targets(self) -> set[str]:
        """The jobs whose every target Prometheus scrapes without an error."""
        try:
            found = self.get(self.prometheus, "/api/v1/targets?state=active")["data"]
        except OSError:
            return set()
        targets = found["activeTargets"]
        bad = {one["labels"]["job"] for one in targets if one["health"] != "up"}
        return {one["labels"]["job"] for one in targets} - bad

    def crash(self, service: str) -> None:
        """Kill the service's first process, as a crash would, and wait until another runs."""
        eventually(lambda: self._pid(service), every_s=0.2)  # it may be between two starts
        killed = self._pid(service)
        assert killed, "0 would be this process and all of its group"
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: self._pid(service) not in (killed, 0), timeout_s=PATIENCE_S, every_s=0.2)

    def _pid(self, service: str) -> int:
        """The first process, as this machine numbers it; 0 while there is none."""
        state = self.engine.inspect("container", f"{self.name}_{service}_1")["State"]
        return int(state["Pid"])


@contextmanager
def up(engine: Engine, yunet_url: str) -> Iterator[Project]:
    """Build and start the stack by the documented command; take it down with its volumes."""
    beside = Path(sys.executable).parent
    program = shutil.which("podman-compose", path=f"{beside}:{os.environ['PATH']}")
    if program is None or engine.program != "podman":
        pytest.skip("podman-compose is missing (pip install podman-compose)")
    _build_prometheus(engine)
    project = Project(engine, f"es{uuid.uuid4().hex[:8]}", free_port(), free_port())
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder, "env")
        values = {**_values(), "EMOTION_SINKS": str(Path(folder, "sinks"))}
        environment.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        write_sinks(Path(folder, "sinks"))
        stand_ins = Path(folder, "stand-ins.yaml")
        stand_ins.write_text(_stand_ins(project, yunet_url))
        command = [
            program, "--project-name", project.name, "--file", str(DEPLOY / "compose.yaml"),
            "--file", str(stand_ins), "--env-file", str(environment),
            "--profile", "sinks", "--podman-build-args=--network=host",
        ]  # fmt: skip
        try:
            subprocess.run([*command, "up", "--build", "--detach", *SERVICES], check=True)
            yield project
        finally:
            subprocess.run([*command, "down", "--volumes"], check=True)


def _values() -> dict[str, str]:
    others = {"GRAFANA_ADMIN_PASSWORD", "DATABASE_PASSWORD", "GRAFANA_DATABASE_PASSWORD"}
    return {**SECRETS, **dict.fromkeys(others, "of-no-use-here-16"), "EMOTION_VERSION": "check"}


def _stand_ins(project: Project, yunet_url: str) -> str:
    return f"""
services:
  producer:
    build: {{args: {{PYTHON: {BASE}}}}}
  worker:
    build: {{args: {{PYTHON: {BASE}, YUNET_URL: "{yunet_url}"}}}}
  valkey:
    image: {VALKEY}
    ports: !override []
    # Not every machine may raise them.
    ulimits: {{nofile: {{soft: 1024, hard: 4096}}, nproc: {{soft: 4096, hard: 4096}}}}
  sink:
    build: {{args: {{PYTHON: {BASE}}}}}
  gateway:
    build: {{args: {{PYTHON: {BASE}}}}}
    ports: !override ["127.0.0.1:{project.page}:8080"]
  prometheus:
    image: {_PROMETHEUS}
    ports: !override ["127.0.0.1:{project.prometheus}:9090"]
"""


def _build_prometheus(engine: Engine) -> None:
    """Debian's Prometheus from this machine."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is missing (Debian: apt install prometheus)")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(program, folder)
        Path(folder, "Dockerfile").write_text(
            f"FROM {BASE}\n"
            "COPY prometheus /usr/bin/prometheus\n"
            "RUN mkdir /prometheus && chown 65534:65534 /prometheus\n"
            "USER 65534\n"
            'ENTRYPOINT ["/usr/bin/prometheus"]\n'
        )
        engine.output("build", "--tag", _PROMETHEUS, folder)
