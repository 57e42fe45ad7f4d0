"""Child processes of the launcher. None outlives it, and they are stopped in a defined order."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from emotion_streams.printable import printable
from service.supervision import ChildProcess, ProcessCrashedError, exit_with_parent

_KEPT_LINES: Final = 20


class Child:
    """A process in a process group of its own.

    Its log lines of level warning or worse are passed on. Its last lines are kept, to be shown if
    it fails.
    """

    def __init__(self, name: str, process: ChildProcess, say: Callable[[str], None]) -> None:
        self.name = name
        self._say = say
        self.last_lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._process = process
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(
        cls,
        name: str,
        command: Sequence[str],
        environ: Mapping[str, str] | None = None,
        say: Callable[[str], None] = lambda text: print(text, file=sys.stderr),
    ) -> "Child":
        """Start the command, with `environ` added to its environment.

        Its standard output is discarded. `say` is called with each message that it logs as a
        warning or worse. Raises ProcessCrashedError if it cannot be started.
        """
        try:
            process = await ChildProcess.start(
                command,
                # The launcher parses the log, regardless of the format that the user set.
                {"EMOTION_LOG_FORMAT": "json", **(environ or {})},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        except ProcessCrashedError as error:
            raise ProcessCrashedError(f"{name}: {error}") from error
        return cls(name, process, say)

    @property
    def pid(self) -> int:
        """The process' id."""
        return self._process.pid

    async def wait(self) -> int:
        """Wait until the process has ended and its last lines are read; return its exit code."""
        code = await self._process.wait()
        await self._reading
        return code

    async def end(self, deadline: float) -> None:
        """Send SIGTERM, and SIGKILL to the whole group at the deadline (of time.monotonic())."""
        await self._process.stop(max(0.0, deadline - time.monotonic()))
        await self._reading

    async def _read(self) -> None:
        stderr = self._process.io.stderr
        assert stderr is not None
        while line := await stderr.readline():
            text = line.decode(errors="replace").rstrip()
            self.last_lines.append(printable(text))
            if warning := _warning(text):
                self._say(f"{self.name}: {printable(warning)}")


def _warning(line: str) -> str | None:
    """Return the message of a log line that the user should see, or None."""
    try:
        record = json.loads(line)
        return str(record["message"]) if record["level"] in ("warning", "error") else None
    except (ValueError, KeyError, TypeError):
        return None


def end_with_make() -> None:
    """End this process with the `make` that started it; a killed make does not stop children."""
    if "MAKELEVEL" in os.environ:
        exit_with_parent()
