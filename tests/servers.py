"""Real Redis-compatible servers for the tests, each its own, on a unix socket or a free port."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from deploy.redis_server import find_server


def eventually(
    predicate: Callable[[], object], timeout_s: float = 10.0, every_s: float = 0.02
) -> None:
    """Wait until the predicate holds; AssertionError that names it where it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not predicate():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {predicate}")
        time.sleep(every_s)


class Stopwatch:
    """Seconds since it was made, without those in which some process waited for a processor.

    A promise in seconds supposes a machine that has time. The kernel's account of pressure tells
    how long it had none; where the kernel keeps no account, nothing is subtracted.
    """

    def __init__(self) -> None:
        self._began, self._waited = time.monotonic(), _waited_s()

    def read_s(self) -> float:
        return time.monotonic() - self._began - (_waited_s() - self._waited)


def _waited_s() -> float:
    try:
        some = Path("/proc/pressure/cpu").read_text().splitlines()[0]
    except OSError:
        return 0.0
    return int(some.rpartition("total=")[2]) / 1e6


def free_port() -> int:
    """A TCP port of the loopback that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether nobody has this TCP port of the loopback at this moment."""
    with socket.socket() as probe:
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
        """It stands still; its connections stay."""
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
