"""The processes of a measurement: server, workers and load. None outlives the command."""

import asyncio
import sys
import time
import urllib.request
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from prometheus_client.parser import text_string_to_metric_families

from deploy.capacity.control import CAMERAS
from deploy.children import Child
from deploy.private_server import SERVER, start_server
from deploy.processor_time import child_pids
from emotion_streams import keys
from emotion_streams.cancellation import cancel_and_wait
from emotion_streams.connection import Client
from service.supervision import exit_text

Result = TypeVar("Result")

_GRACE_S: Final = 10.0
"""Longer than a worker takes to release its cameras."""

_SERVER_GRACE_S: Final = 0.5
_POLL_S: Final = 0.1
_SCRAPE_TIMEOUT_S: Final = 5.0

PORT_STEP: Final = 10
"""Distance between the metrics ports of consecutive workers on one machine."""


_SAMPLES: Final = ("emotion_busy_seconds_total{", "emotion_build_info{")


class ProcessEndedError(RuntimeError):
    """A process ended early. `code`: its exit code. The text is its last line."""

    def __init__(self, name: str, code: int, last_line: str) -> None:
        super().__init__(f"{name}: {last_line.removeprefix(f'{name}: ')}")
        self.code = code


class Processes:
    """Server, workers and load. `port`: the metrics port of the first worker."""

    def __init__(self, port: int) -> None:
        self._children: list[Child] = []
        self._port = port
        self._said: set[str] = set()

    async def start(self, folder: Path, worker: Sequence[str], load: Sequence[str]) -> str:
        """Start them with these arguments of `python`; return the server's URL.

        Raises ServerUnavailableError.
        """
        url = await start_server(folder, self._children, self._say)
        for name, arguments in (("worker", worker), ("load", load)):
            self._children.append(
                await Child.start(
                    name, [sys.executable, *arguments], {"EMOTION_REDIS": url}, self._say
                )
            )
        return url

    async def end(self) -> None:
        """End all of them, the server last."""
        deadline = time.monotonic() + _GRACE_S
        others = [child for child in self._children if child.name != SERVER]
        await asyncio.gather(*(child.end(deadline) for child in others))
        for server in (child for child in self._children if child.name == SERVER):
            await server.end(time.monotonic() + _SERVER_GRACE_S)

    async def while_they_run(self, work: Awaitable[Result]) -> Result:
        """Return the result of `work`. Raises ProcessEndedError if a process ends before."""
        working = asyncio.ensure_future(work)
        ends = {asyncio.ensure_future(child.wait()): child for child in self._children}
        try:
            await asyncio.wait({working, *ends}, return_when=asyncio.FIRST_COMPLETED)
            for end, child in ends.items():
                if end.done() and not working.done():
                    last = (child.last_lines or [exit_text(end.result())])[-1]
                    raise ProcessEndedError(child.name, end.result(), last)
            return await working
        finally:
            await cancel_and_wait(working, *ends)

    async def ready(self, client: Client, within_s: float) -> None:
        """Wait until every worker is ready and the pictures of the load are prepared.

        Raises ProcessEndedError if they are not in time.
        """
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            workers: int = await client.zcard(keys.WORKERS)
            if workers and workers >= len(self.workers) and await client.exists(CAMERAS):
                return
            await asyncio.sleep(_POLL_S)
        raise ProcessEndedError(
            "worker", 1, f"not ready after {max(0, within_s):.0f} s (--minutes allows more)"
        )

    @property
    def workers(self) -> list[int]:
        """The process ids of the workers: of those that are supervised, or of the only one."""
        return child_pids(self._pid("worker")) or [self._pid("worker")]

    @property
    def server(self) -> int:
        """The process id of the server."""
        return self._pid(SERVER)

    @property
    def pids(self) -> list[int]:
        """The process ids of all of them."""
        return [*{*(child.pid for child in self._children), *self.workers}]

    async def metrics(self) -> "list[Metrics]":
        """Return the metrics of each worker."""
        ports = range(self._port, self._port + PORT_STEP * len(self.workers), PORT_STEP)
        return list(await asyncio.gather(*(asyncio.to_thread(_scrape, port) for port in ports)))

    def _say(self, text: str) -> None:
        """Print a warning of a process, once: near the limit it may concern many cameras."""
        if text not in self._said:
            self._said.add(text)
            print(text, file=sys.stderr, flush=True)

    def _pid(self, name: str) -> int:
        return next(child.pid for child in self._children if child.name == name)


class Metrics:
    """A worker's metrics at a moment: its engine, and the busy seconds of each part."""

    def __init__(self, text: str) -> None:
        # The others are many, with one or more for each camera.
        lines = [line for line in text.splitlines() if line.startswith(_SAMPLES)]
        families = text_string_to_metric_families("\n".join(lines) + "\n")
        samples = [sample for family in families for sample in family.samples]
        self.busy_s = {
            sample.labels["part"]: sample.value for sample in samples if "part" in sample.labels
        }
        self.engine = next(
            sample.labels["engine"] for sample in samples if "engine" in sample.labels
        )


def _scrape(port: int) -> Metrics:
    address = f"http://127.0.0.1:{port}/metrics"
    with urllib.request.urlopen(address, timeout=_SCRAPE_TIMEOUT_S) as reply:
        text: Any = reply.read().decode()
    return Metrics(text)
