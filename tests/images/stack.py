"""Producer, worker, gateway, sink and Valkey in containers, on networks of their own."""

import json
import subprocess
import tempfile
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from deploy.images.engine import Engine
from tests.deploy.valkey import ROLES, passwords
from tests.images.services import command, run_options
from tests.servers import PATIENCE_S, eventually, free_port

PROCESSES: Final = ("worker", "producer", "gateway", "sink")
TOKEN: Final = "a token that only this test knows"
SECRETS: Final = {
    **passwords(*ROLES),
    "EMOTION_GATEWAY_TOKEN": TOKEN,
    "DATABASE_PASSWORD": "a password that only this test knows",
}
DATABASE: Final = "/tmp/faces.db"
_SINKS: Final = f"""
sinks:
  archive:
    type: sql
    url: sqlite:///{DATABASE}
"""


@dataclass
class Container:
    """One running container, and the service of compose.yaml that it is."""

    engine: Engine
    service: str
    name: str

    def exec(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command inside, as the container's own user."""
        return subprocess.run(
            [self.engine.program, "exec", self.name, *words],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def state(self) -> dict[str, Any]:
        return dict(self.engine.inspect("container", self.name)["State"])

    def healthy(self) -> bool:
        """Whether the image's own HEALTHCHECK passes; AssertionError if the process has ended."""
        assert self.state()["Status"] == "running", self.logs()
        if self.engine.program == "podman":
            # Podman leaves the schedule to systemd, which not every machine runs.
            check = [self.engine.program, "healthcheck", "run", self.name]
            return subprocess.run(check, capture_output=True, check=False).returncode == 0
        return bool(self.state()["Health"]["Status"] == "healthy")

    def logs(self) -> str:
        both = subprocess.STDOUT
        return subprocess.check_output(
            [self.engine.program, "logs", self.name], stderr=both, text=True
        )


@dataclass
class Stack:
    """The containers by service, and where the page answers."""

    engine: Engine
    page: int
    containers: dict[str, Container] = field(default_factory=dict)

    def get(self, path: str) -> str:
        """The gateway's answer; OSError if there is none or it is not 200."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.page}{path}", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
            return str(reply.read().decode())

    def get_json(self, path: str) -> Any:
        return json.loads(self.get(path))


def write_sinks(folder: Path) -> None:
    """Make the folder of compose.yaml's sink, with a sink that needs no server."""
    folder.mkdir(mode=0o755)
    (folder / "sinks.yaml").write_text(_SINKS)


@contextmanager
def running(engine: Engine, images: dict[str, str], valkey: str) -> Iterator[Stack]:
    """Start everything; remove it afterwards, networks included."""
    mark = f"es-{uuid.uuid4().hex[:8]}"
    stack = Stack(engine, free_port())
    with ExitStack() as ending:
        sinks = Path(ending.enter_context(tempfile.TemporaryDirectory()), "sinks")
        sinks.parent.chmod(0o755)
        write_sinks(sinks)
        values = {**SECRETS, "EMOTION_SINKS": str(sinks)}
        # As in compose.yaml: frames and events on a network that leads nowhere else.
        for network, options in ((f"{mark}-data", ["--internal"]), (f"{mark}-outside", [])):
            engine.output("network", "create", *options, network)
            ending.callback(engine.output, "network", "rm", network)
        for service in ("valkey", *PROCESSES):
            networks = [f"--network={mark}-data:alias={service}"]
            if service == "gateway":
                networks = [f"--network={mark}-data", f"--network={mark}-outside"]
                networks += [f"--publish=127.0.0.1:{stack.page}:8080"]
            if engine.program == "podman":
                # By default it mounts memory at /var/tmp and /run too, which others do not.
                networks += ["--read-only-tmpfs=false"]
            container = Container(engine, service, f"{mark}-{service}")
            ending.callback(engine.output, "rm", "--force", container.name)
            engine.output(
                "run", "--detach", f"--name={container.name}", f"--hostname={service}",
                *networks, *run_options(service, values),
                images.get(service, valkey), *command(service),
            )  # fmt: skip
            stack.containers[service] = container
            if service == "valkey":
                eventually(
                    lambda: "Ready to accept" in stack.containers["valkey"].logs(), PATIENCE_S, 0.2
                )
        yield stack
