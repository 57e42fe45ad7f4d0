"""The gateway's real process."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

import httpx

from tests.servers import PATIENCE_S, eventually, free_port

ROOT = Path(__file__).parent.parent.parent


class Gateway:
    """`python -m gateway` until the end of the context; it must end cleanly, without a trace."""

    def __init__(
        self,
        redis_url: str,
        *options: str,
        token: str | None = None,
        environment: Mapping[str, str] | None = None,
        awaited: str = "/readyz",
    ) -> None:
        """`awaited`: what has to answer 200 before the context begins."""
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.metrics_port = free_port()
        self._command = [
            *(sys.executable, "-m", "gateway", "--redis", redis_url),
            *("--port", str(self.port), "--metrics-port", str(self.metrics_port)),
            *options,
        ]
        self._environment = {**os.environ, **(environment or {})}
        self._awaited = awaited
        if token is not None:
            self._environment["EMOTION_GATEWAY_TOKEN"] = token
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        # One client: each new one would read the system's certificates. It keeps no connection
        # for as long as the gateway does: one that is just being closed must not be used again.
        limits = httpx.Limits(keepalive_expiry=2)
        self._client = httpx.Client(
            base_url=self.base, timeout=PATIENCE_S, trust_env=False, limits=limits
        )
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            self._command, cwd=ROOT, env=self._environment, stderr=self._log, stdout=self._log
        )
        try:
            eventually(lambda: self._ready(process))
        except BaseException as error:
            process.kill()
            process.wait()
            error.add_note(self.log())
            self._close()
            raise
        return process

    def _close(self) -> None:
        """Else what a failed test left open would fail another one, which finds it as garbage."""
        self._client.close()
        self._log.close()

    def _ready(self, process: "subprocess.Popen[bytes]") -> bool:
        if process.poll() is not None:
            raise AssertionError(f"it ended with code {process.returncode}: {self.log()}")
        try:
            return self.probe(self._awaited).status_code == 200
        except httpx.TransportError:
            return False

    def log(self) -> str:
        self._log.seek(0)
        return self._log.read().decode()

    def get(self, path: str, **options: object) -> httpx.Response:
        return self._client.get(path, **options)  # type: ignore[arg-type]

    def request(self, method: str, path: str, content: bytes = b"") -> httpx.Response:
        return self._client.request(method, path, content=content)

    def stream(
        self, path: str, headers: dict[str, str] | None = None
    ) -> AbstractContextManager[httpx.Response]:
        return self._client.stream("GET", path, headers=headers)

    def probe(self, path: str) -> httpx.Response:
        """Of the port of health and metrics."""
        return self._client.get(f"http://127.0.0.1:{self.metrics_port}{path}")

    def metric(self, name: str) -> float:
        """The sum of a metric's samples, over all labels."""
        text = self.probe("/metrics").text
        return sum(
            float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if line.startswith((name + "{", name + " "))
        )

    def cpu_s(self) -> float:
        """The seconds that it has used of a processor."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE_S) == 0, self.log()
        assert "Traceback" not in self.log(), self.log()

    def start(self) -> None:
        self.process = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self.process.poll() is None:
                self.stop()
        finally:
            self.process.kill()
            self.process.wait()
            self._close()
