"""Child processes: started, stopped within a time limit, and never outliving their parent."""

import asyncio
import ctypes
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from emotion_streams.backoff import delays

_RESTART_DELAYS_S: Final = (0.5, 30.0)
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None)
_ROOT: Final = Path(__file__).parent.parent


class ProcessCrashedError(Exception):
    """A process crashed, hung, or could not be started. The text gives the reason."""


def restart_delays() -> Iterator[float]:
    """Yield the delays in seconds before a crashed process is restarted."""
    return delays(*_RESTART_DELAYS_S)


def exit_with_parent() -> None:
    """Let the kernel send this process SIGTERM when its parent dies, for any reason."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def exit_text(code: int) -> str:
    """Return how a process with this return code ended: `exit code 3`, `signal SIGKILL`."""
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def module_environ() -> dict[str, str]:
    """Return the variables with which `python -m` finds our modules from any working directory."""
    inherited = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(_ROOT), inherited)))}


class ChildProcess:
    """A process in a session of its own, so that the terminal's Ctrl-C does not reach it.

    `io` is asyncio's process, for its streams.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.io = process
        self.pid = process.pid

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        environ: Mapping[str, str],
        *,
        stdin: int = subprocess.DEVNULL,
        stdout: int | None = None,
        stderr: int | None = None,
        dies_with_parent: bool = True,
    ) -> Self:
        """Start the command, with `environ` added to this process' environment.

        `dies_with_parent`: it receives SIGTERM when this process dies for any reason. A program
        that exits at the end of its standard input does not need that. Raises ProcessCrashedError
        if it cannot be started.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, **environ},
                start_new_session=True,
                preexec_fn=exit_with_parent if dies_with_parent else None,
            )
        # It may lack descriptors, processes, memory or threads.
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            raise ProcessCrashedError(f"process could not be started: {error}") from error
        return cls(process)

    def kill(self) -> None:
        """Kill the process and every process that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    async def wait(self) -> int:
        """Wait until the process has ended. Return its return code."""
        return await self.io.wait()

    async def stop(
        self, grace_s: float, request: Callable[[], Awaitable[object]] | None = None
    ) -> int:
        """Ask the process to exit, kill it after `grace_s` seconds, and return its return code.

        `request` asks it, and may read its last output; the default sends SIGTERM. If this call is
        cancelled, the process is killed at once.
        """
        try:
            async with asyncio.timeout(grace_s):
                await (request or self._terminate)()
                await self.wait()
        except TimeoutError:
            pass
        finally:
            self.kill()
            await self._reap()
        return await self.wait()

    async def _reap(self) -> None:
        """Wait until the killed process has ended and its pipes are closed, even if cancelled."""
        ended = asyncio.ensure_future(self.io.wait())
        try:
            await asyncio.shield(ended)
        except asyncio.CancelledError:
            await ended
            raise

    async def _terminate(self) -> None:
        with suppress(ProcessLookupError):
            self.io.terminate()
