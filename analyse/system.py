"""The server and the worker that analyse, for as long as the command runs."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from deploy.children import Child
from deploy.private_server import SERVER, own_folder, start_server
from emotion_streams import connect_async
from emotion_streams.connection import Client

_GRACE_S: Final = 2.0
"""How long the processes may take to exit before they are killed."""

_LEASE_MS: Final = 2_000
"""After a crash the next worker waits for it to expire; nothing here stalls the network."""

_KEEP_EVENTS: Final = 1_000_000
_KEEP_HOURS: Final = 1_000_000
"""More than since 1970: events are dated by their place in the recording, so they seem old."""

_MAX_CRASHES: Final = 5
"""Crashes in a row without a result. A frame that crashes its workers is set aside after three."""

_BAD_SETTINGS: Final = 2


class SystemFailedError(Exception):
    """The server or the worker ended for good; the text gives its last words."""


class System:
    """A running server and worker. `client` is connected to the server."""

    def __init__(
        self, url: str, client: Client, options: Mapping[str, str], say: Callable[[str], None]
    ) -> None:
        self.url = url
        self.client = client
        self.children: list[Child] = []
        self._options = options
        self._say = say
        self._crashes = 0
        self._watching = asyncio.create_task(self._keep_a_worker())

    def made_progress(self) -> None:
        """Note that the worker gave a result."""
        self._crashes = 0

    def check(self) -> None:
        """Raise SystemFailedError if the worker ended for good."""
        if self._watching.done():
            self._watching.result()

    async def start_producer(self, camera: str, source: Path, *options: str) -> Child:
        """Start a producer that reads the file, an absolute path."""
        command = [sys.executable, "-m", "producer", "--metrics-port", "0", "--camera", camera]
        environ = {"EMOTION_REDIS": self.url, "EMOTION_PRODUCER_SOURCE": str(source)}
        child = await Child.start("producer", [*command, *options], environ, self._say)
        self.children.append(child)
        return child

    async def close(self) -> None:
        """End the processes. The worker commits what it has before the server ends."""
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        deadline = time.monotonic() + _GRACE_S
        await asyncio.gather(*(child.end(deadline) for child in self.children))

    async def _keep_a_worker(self) -> None:
        while True:
            worker = await self._start_worker()
            self.children.append(worker)
            code = await worker.wait()
            self.children.remove(worker)
            self._crashes += 1
            if code == _BAD_SETTINGS or self._crashes > _MAX_CRASHES:
                raise SystemFailedError("\n  ".join(["the worker ended:", *worker.last_lines]))
            self._say(f"the worker ended with code {code}, and is started again")

    async def _start_worker(self) -> Child:
        command = [sys.executable, "-m", "worker", "--metrics-port", "0"]
        command += ["--lease-ms", str(_LEASE_MS), "--keep-events", str(_KEEP_EVENTS)]
        command += ["--keep-hours", str(_KEEP_HOURS)]
        for name, value in self._options.items():
            command += [name, value]
        return await Child.start("worker", command, {"EMOTION_REDIS": self.url}, self._say)


@asynccontextmanager
async def running(options: Mapping[str, str], say: Callable[[str], None]) -> AsyncIterator[System]:
    """Run a server and a worker with these options.

    Raises ServerUnavailableError and ProcessCrashedError.
    """
    async with AsyncExitStack() as ending:
        folder = ending.enter_context(own_folder())
        servers: list[Child] = []
        ending.push_async_callback(_end, servers)
        url = await start_server(folder, servers, say)
        client = await ending.enter_async_context(connect_async(url))
        system = System(url, client, options, say)
        ending.push_async_callback(system.close)
        yield system


async def _end(servers: list[Child]) -> None:
    for server in servers:
        assert server.name == SERVER
        await server.end(time.monotonic() + _GRACE_S)
