"""Child processes of the launcher: started so that none can outlive it, ended in good order."""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None)
_KEPT_LINES: Final = 20


class Child:
    """A process in a group of its own. What it logs as a warning or worse is passed on; its last
    lines are kept for when it fails."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.last_lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._process = process
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(
        cls, name: str, command: Sequence[str], environ: Mapping[str, str] | None = None
    ) -> "Child":
        """Start the command, with `environ` added to its environment; its standard output is
        dropped."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environ or {})},
            # Ctrl-C on a terminal reaches a whole group: the launcher alone decides the order.
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        return cls(name, process)

    async def wait(self) -> int:
        """Its exit code, when it has ended and its last lines are read."""
        code = await self._process.wait()
        await self._reading
        return code

    async def end(self, deadline: float) -> None:
        """SIGTERM, and SIGKILL to its whole group at the deadline (of time.monotonic())."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), max(0.0, deadline - time.monotonic()))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self.wait()

    async def _read(self) -> None:
        assert self._process.stderr is not None
        while line := await self._process.stderr.readline():
            text = line.decode(errors="replace").rstrip()
            self.last_lines.append(text)
            if warning := _warning(text):
                print(f"{self.name}: {warning}", file=sys.stderr)


def _warning(line: str) -> str | None:
    """The message of a log line that people should see, or None."""
    try:
        record = json.loads(line)
        return str(record["message"]) if record["level"] in ("warning", "error") else None
    except (ValueError, KeyError, TypeError):
        return None


def _end_with_parent() -> None:
    """In the child, before it runs: SIGTERM it when the launcher dies, however it dies."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
