"""Real Redis-compatible servers for the tests, each its own, on a unix socket or a free port."""

import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final, Self

from deploy.redis_server import find_server

PATIENCE_S: Final = 120.0
"""How long a test waits for what has to come: enough for a machine that does ten other things. It
says nothing about how fast anything is; a test of such a promise reads a Stopwatch."""


def eventually(
    predicate: Callable[[], object], timeout_s: float = PATIENCE_S, every_s: float = 0.02
) -> None:
    """Wait until the predicate holds; AssertionError that names it where it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not predicate():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {predicate}")
        time.sleep(every_s)


class Stopwatch:
    """Seconds since it was made, without those in which some process waited for a resource.

    A promise in seconds supposes a machine that has time. The kernel's accounts of pressure tell
    how long processes waited for a processor, a disk or memory; where the kernel keeps none, all
    time in which the processors were busy counts as waited for. To it comes the time that a virtual
    machine's processors were taken away.
    """

    def __init__(self) -> None:
        self._began, self._waited = time.monotonic(), _waited_s()

    def read_s(self) -> float:
        return time.monotonic() - self._began - self.waited_s()

    def waited_s(self) -> float:
        """The seconds that it left out."""
        return _waited_s() - self._waited


def _waited_s() -> float:
    user, nice, system, _, iowait, _, _, steal, *_ = (
        int(ticks) / os.sysconf("SC_CLK_TCK")
        for ticks in Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    )
    try:
        stalled = sum(_pressure_s(resource) for resource in ("cpu", "io", "memory"))
    except OSError:
        stalled = (user + nice + system + iowait) / (os.cpu_count() or 1)
    return stalled + steal


def _pressure_s(resource: str) -> float:
    some = Path(f"/proc/pressure/{resource}").read_text().splitlines()[0]
    return int(some.rpartition("total=")[2]) / 1e6


def free_port(further: int = 0) -> int:
    """A TCP port of the loopback that is free at this moment, like the one `further` above it.

    No other process of tests is given it as long as this one lives, and the kernel gives it to no
    connection and to no server that asks for any port: those are from 32768 on.
    """
    block = _reserved_block()
    for _ in range(_PORTS_PER_BLOCK):
        number = next(_taken) % (_PORTS_PER_BLOCK - further)
        port = _FIRST_PORT + block * _PORTS_PER_BLOCK + number
        if is_free(port) and is_free(port + further):
            return port
    raise RuntimeError("none of the ports that this process reserved is free")


_FIRST_PORT: Final = 20_000
_PORTS_PER_BLOCK: Final = 50
_BLOCKS: Final = 200
_taken = itertools.count()


@cache
def _reserved_block() -> int:
    """Which block of ports is this process' own: the kernel holds a name for it until it ends."""
    for block in random.sample(range(_BLOCKS), _BLOCKS):
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0emotion-streams-test-ports-{block}")
        except OSError:
            name.close()
            continue
        _names.append(name)
        return block
    raise RuntimeError("all blocks of ports are reserved")


_names: Final = list[socket.socket]()


def is_free(port: int) -> bool:
    """Whether a server could have this TCP port of the loopback at this moment."""
    with socket.socket() as probe:
        # As servers do: connections that ended a moment ago do not keep the port from a new one.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class RedisProcess:
    """A server of the test's own, in a folder of its own; killed and removed on exit."""

    def __init__(self, *options: str, port: int = 0) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="es-redis-"))
        self.socket = self.folder / "redis.sock"
        self.port = port
        self.url = f"redis://127.0.0.1:{port}" if port else f"unix://{self.socket}"
        self._options = options
        self._start()

    def _start(self) -> None:
        self.process = subprocess.Popen(
            [
                str(find_server()),
                *("--port", str(self.port), "--bind", "127.0.0.1"),
                *("--unixsocket", str(self.socket), "--dir", str(self.folder)),
                *("--save", "", "--appendonly", "no"),
                *self._options,
            ],
            stdout=subprocess.DEVNULL,
        )
        try:
            eventually(self._answers)
        except BaseException:
            self.kill()
            raise

    def _answers(self) -> bool:
        """Whether it takes commands, be it to say that it wants a password first."""
        if code := self.process.poll():
            raise RuntimeError(f"the server ended with code {code}: is its port taken?")
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(100).startswith((b"+PONG", b"-NOAUTH"))
            except OSError:
                return False

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        """Stop it from running; its connections stay."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on."""
        self.process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Start it again after kill(), on the same addresses."""
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
