"""The real processes, each under its role, on a server with the roles of deploy/valkey."""

import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.valkey import Valkey, password
from tests.faults.processes import MAX_AGE_MS
from tests.servers import PATIENCE_S, eventually, free_port

ROOT: Final = Path(__file__).parents[2]
CAMERA: Final = "lobby"
MODULES: Final = {"sink": "sinks"}
"""The module of a process, if it is not its name."""


@dataclass(frozen=True)
class Process:
    """A running process of ours and the port of its metrics."""

    name: str
    port: int
    popen: "subprocess.Popen[bytes]"

    def get(self, path: str) -> str:
        """The body of an answer; OSError where it is none or not 200."""
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE_S
        ) as reply:
            return str(reply.read().decode())

    def ready(self) -> bool:
        if self.popen.poll() is not None:
            raise AssertionError(f"{self.name} ended with code {self.popen.returncode}")
        try:
            return self.get("/readyz") == "ok\n"
        except OSError:
            return False

    def samples(self) -> dict[str, set[str]]:
        """Names of the exported samples, with the names of their labels."""
        found: dict[str, set[str]] = {}
        for family in text_string_to_metric_families(self.get("/metrics")):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
        return found


@contextmanager
def start(name: str, valkey: Valkey, *options: str) -> Iterator[Process]:
    """The process of this name, as the role of the same name, on the address of its image."""
    port = free_port()
    popen = subprocess.Popen(
        [
            sys.executable,
            "-m",
            MODULES.get(name, name),
            "--metrics-host",
            "::",
            "--metrics-port",
            str(port),
            *options,
        ],
        cwd=ROOT,
        env={
            "PATH": "/usr/bin:/bin",
            "EMOTION_REDIS": valkey.url,
            "EMOTION_REDIS_USERNAME": name,
            "EMOTION_REDIS_PASSWORD": password(name),
        },
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Process(name, port, popen)
    finally:
        popen.terminate()
        try:
            popen.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()


@contextmanager
def _look(port: int) -> Iterator[None]:
    """A client follows the events, and looks at the camera."""
    base = f"http://127.0.0.1:{port}/api"
    with urllib.request.urlopen(f"{base}/events/stream", timeout=PATIENCE_S) as events:
        assert events.read(1)
        with urllib.request.urlopen(
            f"{base}/cameras/{CAMERA}/frame.jpg", timeout=PATIENCE_S
        ) as picture:
            assert picture.read(2) == b"\xff\xd8"
        yield


@contextmanager
def fleet(valkey: Valkey, shared: Path) -> Iterator[dict[str, Process]]:
    """A camera that shows a face, a worker that has published it, a gateway and a sink."""
    yunet = shared / "models" / "yunet" / "face_detection_yunet_2023mar.onnx"
    with ExitStack() as ending:
        processes = [
            ending.enter_context(
                start("worker", valkey, "--threads", "1", "--detector-model", str(yunet))
            ),
            ending.enter_context(
                start(
                    "producer",
                    valkey,
                    *("--camera", CAMERA, "--source", "demo", "--fps", "5"),
                    *("--max-age-ms", str(MAX_AGE_MS)),
                )
            ),
        ]
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory()))
        settings = folder / "sinks.yaml"
        settings.write_text(
            f"sinks: {{archive: {{type: sql, url: 'sqlite:///{folder}/faces.db', records: [events],"
            " start: now}}"
        )
        processes.append(ending.enter_context(start("sink", valkey, "--config", str(settings))))
        page = free_port()
        processes.append(ending.enter_context(start("gateway", valkey, "--port", str(page))))
        for process in processes:
            eventually(process.ready, timeout_s=PATIENCE_S)
        worker = processes[0]
        # The first face is published, and the first look at the accounts was taken.
        shown = {"emotion_faces_total", "emotion_ledger_balanced"}
        eventually(lambda: shown <= worker.samples().keys(), timeout_s=PATIENCE_S, every_s=0.2)
        ending.enter_context(_look(page))
        yield {process.name: process for process in processes}
