"""Supervise one process per camera: start, watch and restart it, and kill it if it hangs."""

import asyncio
import contextlib
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from emotion_streams.backoff import Retries
from emotion_streams.cameras import CameraState
from producer.messages import EXIT_NO_SUCH_SOURCE, CameraSpec, Report
from producer.registry import CameraRecord
from service.metrics import ProducerMetrics
from service.supervision import (
    ChildProcess,
    ProcessCrashedError,
    exit_text,
    module_environ,
    restart_delays,
)

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

_log = logging.getLogger(__name__)


class SourceMissingError(Exception):
    """The camera's source does not exist. The text names what is missing."""


class CameraSupervisor:
    """Keeps one camera's process running until its source ends, or `run` is cancelled.

    If the process ends for any other reason, it is started again. The only exception is a source
    that does not exist (see `run`). The delay before a restart grows until a process was stable.

    `command` starts the process; the camera's name is appended. `delays` makes the delays between
    starts.
    """

    def __init__(
        self,
        spec: CameraSpec,
        record: CameraRecord,
        metrics: ProducerMetrics,
        command: Sequence[str] = _COMMAND,
        delays: Callable[[], Iterator[float]] = restart_delays,
    ) -> None:
        self._spec = spec
        self._record = record
        self._metrics = metrics
        self._command = command
        self._delays = delays
        self._was_stable = False

    async def run(self) -> None:
        """Run the camera's process, and return when its source has ended.

        Raises SourceMissingError if the source does not exist and `wait_for_source` is off.
        """
        restarts = Retries(ProcessCrashedError, self._on_crash, self._delays)
        async for attempt in restarts:
            self._was_stable = False
            with attempt:
                await self._run_process()
            if self._was_stable:
                restarts.reset()

    def _on_crash(self, error: ProcessCrashedError) -> None:
        self._record.process_crashed(str(error))
        self._metrics.restarts.labels(self._spec.camera).inc()
        _log.warning("restarting camera process: %s", error, extra={"camera": self._spec.camera})

    async def _run_process(self) -> None:
        """Start the process, follow its reports until its source has ended, and reap it.

        Raises ProcessCrashedError and SourceMissingError.
        """
        process = await ChildProcess.start(
            (*self._command, self._spec.camera),
            module_environ(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            dies_with_parent=False,  # it exits at the end of its standard input
        )
        assert process.io.stdin is not None
        try:
            process.io.stdin.write(self._spec.to_line().encode())
            with contextlib.suppress(ConnectionError):
                await process.io.stdin.drain()
            await self._follow(process)
        except ProcessCrashedError:
            process.kill()
            raise
        finally:
            try:
                code = await process.stop(_STOP_GRACE_S, lambda: self._request_stop(process))
            finally:
                self._record.process_ended()
        report = self._record.report
        if code == EXIT_NO_SUCH_SOURCE:
            raise SourceMissingError(f"{self._spec.camera}: {report.error}")
        if code != 0 or report.state is not CameraState.ENDED:
            raise ProcessCrashedError(f"process crashed ({exit_text(code)})")

    async def _follow(self, process: ChildProcess) -> None:
        """Read reports until the end of the output.

        Raises ProcessCrashedError if the process hangs, or if a line is not a report.
        """
        stdout = process.io.stdout
        assert stdout is not None
        timeout_s = _START_TIMEOUT_S
        while True:
            try:
                line = await _next_line(stdout, timeout_s)
                if not line.endswith(b"\n"):
                    return
                report = Report.from_line(line)
            except TimeoutError:
                raise ProcessCrashedError(
                    f"process hung: no report for {timeout_s:.0f} s"
                ) from None
            except ValueError:  # from readline too, if a line is too long
                raise ProcessCrashedError("process sent an invalid report") from None
            self._record.update(report)
            self._was_stable = self._was_stable or report.stable
            if report.overdue_s > _OVERDUE_S:
                raise ProcessCrashedError(
                    f"process hung: a call exceeds its time limit by {report.overdue_s:.1f} s"
                )
            timeout_s = _REPORT_TIMEOUT_S

    async def _request_stop(self, process: ChildProcess) -> None:
        """Ask the process to exit, and read its final reports."""
        assert process.io.stdin is not None
        process.io.stdin.close()
        with contextlib.suppress(ProcessCrashedError):
            await self._follow(process)


async def _next_line(stream: asyncio.StreamReader, timeout_s: float) -> bytes:
    """Read a line. Raises TimeoutError, and ValueError for a line that is too long."""
    try:
        # asyncio.wait_for can lose a cancellation in Python 3.11.
        async with asyncio.timeout(timeout_s):
            return await stream.readline()
    except TimeoutError:
        async with asyncio.timeout(_SECOND_READ_S):
            return await stream.readline()
