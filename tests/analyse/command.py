"""The command as a user starts it, on a server that the test can look into."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import redis

from tests.faults.processes import ROOT, YUNET
from tests.servers import PATIENCE_S, eventually

DETECTOR = ("--detector-model", str(YUNET)) if YUNET.is_file() else ()


class Command:
    """`python -m analyse` with these arguments; killed at the end if it still runs.

    `behind`: a command that runs it, such as `unshare`.
    """

    def __init__(
        self,
        *arguments: str | Path,
        environ: dict[str, str] | None = None,
        behind: Sequence[str] = (),
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="a", dir="/tmp"))
        self._log = (self._folder / "log").open("w+")
        self.process = subprocess.Popen(
            [*behind, sys.executable, "-m", "analyse", *map(str, arguments), *DETECTOR],
            cwd=ROOT,
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, "TMPDIR": str(self._folder), **(environ or {})},
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def wait(self) -> int:
        return self.process.wait(5 * PATIENCE_S)

    def log(self) -> str:
        return (self._folder / "log").read_text()

    def wait_for_events(self, count: int) -> None:
        """Wait until so many frames are analysed."""

        def starts() -> bool:
            assert self.process.poll() is None, self.log()
            return bool(list(self._folder.glob("*/redis.sock")))

        eventually(starts)
        (socket,) = self._folder.glob("*/redis.sock")
        with redis.Redis(unix_socket_path=str(socket)) as client:

            def analysed() -> bool:
                try:
                    # All that were ever added: each checkpoint removes those that it holds.
                    found: Any = client.xinfo_stream("emotions:{clip-0}")
                except redis.ResponseError:  # no stream yet
                    return count == 0
                except redis.ConnectionError as ended:
                    raise AssertionError(f"it ended before that: {self.log()}") from ended
                return bool(found["entries-added"] >= count)

            eventually(analysed)

    def stop(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def kill_worker(self) -> None:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                command = (folder / "cmdline").read_text().split("\0")
            except OSError:
                continue
            if parent == self.process.pid and command[1:3] == ["-m", "worker"]:
                os.killpg(int(folder.name), signal.SIGKILL)


def analyse(*arguments: str | Path) -> tuple[int, str]:
    """Run the command to its end; return its exit code and what it printed."""
    with Command(*arguments) as command:
        return command.wait(), command.log()
