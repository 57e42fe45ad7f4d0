"""The real producer as a process, its log and its metrics."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from prometheus_client.parser import text_string_to_metric_families

from tests.servers import PATIENCE_S, Stopwatch, eventually

ROOT = Path(__file__).parent.parent.parent
PASSWORD = "p@ss/w0rd-Zq7"
"""Of every peer that wants one. No log of any producer in the tests may hold it."""

_FORBIDDEN = (PASSWORD, quote(PASSWORD, safe=""), "w0rd-Zq7")


def within(predicate: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
    """As `eventually`, but asking ten times a second: a scrape is work for both sides."""
    eventually(predicate, timeout_s, every_s=0.1)


class Producer:
    """`python -m producer` with these arguments; killed at the end if it still runs. Its whole log
    is searched for the password then."""

    def __init__(self, redis_url: str, *arguments: str, **environment: str) -> None:
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in __exit__
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "producer", "--redis", redis_url, "--metrics-port", "0",
                *arguments,
            ],
            cwd=ROOT,
            stderr=self._log,
            start_new_session=True,  # a service has no terminal
            env={**os.environ, **environment},
        )  # fmt: skip
        self._port = 0

    def log(self) -> str:
        self._log.flush()
        return os.pread(self._log.fileno(), 1 << 24, 0).decode()

    def entries(self, message: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return [line for line in lines if message in line["message"]]

    def get(self, path: str) -> tuple[int, str]:
        if not self._port:
            within(lambda: self.entries("serving metrics") or self.process.poll() is not None)
            assert self.process.poll() is None, self.log()
            self._port = self.entries("serving metrics")[0]["port"]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}") as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def metric(self, name: str, camera: str, **labels: str) -> float:
        wanted = {"camera": camera, **labels}
        for family in text_string_to_metric_families(self.get("/metrics")[1]):
            for sample in family.samples:
                if sample.name == name and wanted.items() <= sample.labels.items():
                    return sample.value
        return 0.0

    def children(self) -> dict[str, int]:
        """Process ids of the cameras' own processes, by camera."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                command = (folder / "cmdline").read_text(errors="replace").split("\0")
            except OSError:
                continue
            if parent == self.process.pid and "producer.child" in command:
                found[command[command.index("producer.child") + 1]] = int(folder.name)
        return found

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Ask it to end; how long it took, in seconds of a machine that has time (Stopwatch)."""
        watch = Stopwatch()
        self.process.send_signal(number)
        self.process.wait(PATIENCE_S)
        return watch.read_s()

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        return self.process.wait(timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        log = self.log()
        self._log.close()
        for secret in _FORBIDDEN:
            assert secret not in log, "a password is in the log"
