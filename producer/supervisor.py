"""Supervise one process per camera: start, watch and restart it, and kill it if it hangs."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from emotion_streams.backoff import check_cancelled, delays
from producer.messages import EXIT_NO_SUCH_SOURCE, CameraSpec, Report, State
from producer.registry import CameraRecord
from service.metrics import ProducerMetrics

# Imports take a second, and many seconds if twenty processes start at once on a small machine.
_START_TIMEOUT_S: Final = 30.0
# Reports come twice a second.
_REPORT_TIMEOUT_S: Final = 10.0
# Extra time for a read after a timeout. If this process was suspended itself, the timeout has
# expired although reports wait in the pipe.
_SECOND_READ_S: Final = 0.5
# The source's own timeout should have ended the call. After this much longer it is considered hung.
_OVERDUE_S: Final = 1.0
_STOP_GRACE_S: Final = 0.5
_COMMAND: Final = (sys.executable, "-m", "producer.child")
_BACKOFF_S: Final = (0.5, 30.0)
_ROOT: Final = Path(__file__).parent.parent

_log = logging.getLogger(__name__)


class SourceMissingError(Exception):
    """The camera's source does not exist. The text names what is missing."""


class ProcessFailedError(Exception):
    """The camera's process is unusable. The text gives the reason, for example "process hung"."""


class CameraSupervisor:
    """Keeps one camera's process running until its source ends, or `run` is cancelled.

    If the process ends for any other reason, it is started again. The only exception is a source
    that does not exist (see `run`). The delay before a restart grows until a process was stable.

    `command` starts the process; the camera's name is appended. `backoff` creates the delays
    between starts.
    """

    def __init__(
        self,
        spec: CameraSpec,
        record: CameraRecord,
        metrics: ProducerMetrics,
        command: Sequence[str] = _COMMAND,
        backoff: Callable[[], Iterator[float]] = lambda: delays(*_BACKOFF_S),
    ) -> None:
        self._spec = spec
        self._record = record
        self._metrics = metrics
        self._command = command
        self._backoff = backoff
        self._was_stable = False

    async def run(self) -> None:
        """Run the camera's process, and return when its source has ended.

        Raises SourceMissingError if the source does not exist and `wait_for_source` is off.
        """
        backoff = self._backoff()
        while True:
            check_cancelled()
            self._was_stable = False
            try:
                code = await self._run_process()
            except ProcessFailedError as error:
                why = str(error)
            else:
                report = self._record.report
                if code == 0 and report.state is State.ENDED:
                    return
                if code == EXIT_NO_SUCH_SOURCE:
                    raise SourceMissingError(f"{self._spec.camera}: {report.error}")
                why = f"process crashed ({_exit_text(code)})"
            if self._was_stable:
                backoff = self._backoff()
            self._record.process_crashed(why)
            self._metrics.restarts.labels(self._spec.camera).inc()
            _log.warning(
                "restarting camera process: %s",
                why,
                extra={"camera": self._spec.camera},
            )
            await asyncio.sleep(next(backoff))

    async def _run_process(self) -> int:
        """Start the process, follow its reports and reap it. Return its exit code.

        Raises ProcessFailedError.
        """
        process = await self._start_process()
        assert process.stdin is not None
        try:
            process.stdin.write(self._spec.to_line().encode())
            with contextlib.suppress(ConnectionError):
                await process.stdin.drain()
            await self._follow(process)
        except ProcessFailedError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            raise
        finally:
            try:
                await self._end(process)
            finally:
                self._record.process_ended()
        assert process.returncode is not None
        return process.returncode

    async def _start_process(self) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                *self._command,
                self._spec.camera,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                # Its own process group, so that the terminal's Ctrl-C does not reach it. The
                # supervisor decides when it ends.
                process_group=0,
                env={**os.environ, "PYTHONPATH": _python_path()},
            )
        except (OSError, RuntimeError) as error:  # out of descriptors, processes, memory or threads
            raise ProcessFailedError(f"process could not be started: {error}") from error

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        """Read reports until the end of the output.

        Raises ProcessFailedError if the process hangs, or if a line is not a report.
        """
        assert process.stdout is not None
        timeout_s = _START_TIMEOUT_S
        while True:
            try:
                line = await _next_line(process.stdout, timeout_s)
                if not line.endswith(b"\n"):
                    return
                report = Report.from_line(line)
            except TimeoutError:
                raise ProcessFailedError(f"process hung: no report for {timeout_s:.0f} s") from None
            except ValueError:  # from readline too, if a line is too long
                raise ProcessFailedError("process sent an invalid report") from None
            self._record.update(report)
            self._was_stable = self._was_stable or report.stable
            if report.overdue_s > _OVERDUE_S:
                raise ProcessFailedError(
                    f"process hung: a call exceeds its time limit by {report.overdue_s:.1f} s"
                )
            timeout_s = _REPORT_TIMEOUT_S

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """End the process and reap it. A cancellation in the meantime is not lost."""
        assert process.stdin is not None
        process.stdin.close()  # asks it to end
        try:
            async with asyncio.timeout(_STOP_GRACE_S):
                with contextlib.suppress(ProcessFailedError):
                    await self._follow(process)  # its final reports
                await process.wait()
        except TimeoutError:
            pass
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _next_line(stream: asyncio.StreamReader, timeout_s: float) -> bytes:
    """Read a line. Raises TimeoutError, and ValueError for a line that is too long."""
    try:
        # asyncio.wait_for can lose a cancellation in Python 3.11.
        async with asyncio.timeout(timeout_s):
            return await stream.readline()
    except TimeoutError:
        async with asyncio.timeout(_SECOND_READ_S):
            return await stream.readline()


def _exit_text(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _python_path() -> str:
    inherited = os.environ.get("PYTHONPATH", "")
    return os.pathsep.join(filter(None, (str(_ROOT), inherited)))
