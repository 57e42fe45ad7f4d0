"""A process per camera: started, watched, ended when it hangs, and started again."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from emotion_streams.backoff import delays
from emotion_streams.service.metrics import ProducerMetrics
from producer.messages import EXIT_NO_SUCH_SOURCE, Order, Report, State
from producer.registry import CameraRecord

_START_MAY_TAKE_S: Final = 30.0
# Importing takes a second; twenty at once on a small machine, many.
_SILENCE_S: Final = 10.0
# Reports come twice a second.
_OVERDUE_S: Final = 1.0
# The source's own timeout should have ended the call; this much later it never will.
_STOP_MAY_TAKE_S: Final = 0.5
_BACKOFF_S: Final = (0.5, 30.0)
_ROOT: Final = Path(__file__).parent.parent

_log = logging.getLogger(__name__)


class SourceMissing(Exception):
    """The camera's source does not exist; the text says what is missing."""


class Hung(Exception):
    """The camera's process does not go on: what it hangs in."""


class CameraSupervisor:
    """Keeps one camera's process running until its source ends, or `run` is cancelled."""

    def __init__(self, order: Order, record: CameraRecord, metrics: ProducerMetrics) -> None:
        self._order = order
        self._record = record
        self._metrics = metrics

    async def run(self) -> None:
        """Returns when the source ended. Raises SourceMissing where the order is not patient and
        the source does not exist."""
        backoff = self._delays()
        while True:
            code = await self._run_process()
            report = self._record.report
            if code == 0 and report.state is State.ENDED:
                return
            if code == EXIT_NO_SUCH_SOURCE:
                raise SourceMissing(f"{self._order.camera}: {report.error}")
            if report.stable:
                backoff = self._delays()
            why = f"its process fell ({_exit_text(code)})" if code is not None else "it hung"
            self._record.process_fell(why)
            self._metrics.restarts.labels(self._order.camera).inc()
            _log.warning(
                "the camera's process is started anew: %s",
                why,
                extra={"camera": self._order.camera},
            )
            await asyncio.sleep(next(backoff))

    def _delays(self) -> Iterator[float]:
        return delays(*_BACKOFF_S)

    async def _run_process(self) -> int | None:
        """Start it, follow its reports, reap it: the exit code, None where it hung."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "producer.child", self._order.camera),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # Away from the terminal's Ctrl-C: when to end is the supervisor's word.
            process_group=0,
            env={**os.environ, "PYTHONPATH": _python_path()},
        )
        assert process.stdin is not None
        self._record.process_started()
        hung = False
        try:
            process.stdin.write(self._order.to_line().encode())
            with contextlib.suppress(ConnectionError):
                await process.stdin.drain()
            await self._follow(process)
        except Hung as error:
            hung = True
            _log.error(
                "the camera's process is ended: %s", error, extra={"camera": self._order.camera}
            )
        finally:
            await _end(process, politely=not hung)
        return None if hung else process.returncode

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        patience_s = _START_MAY_TAKE_S
        while True:
            try:
                # Not wait_for, which in Python 3.11 may lose a cancellation.
                async with asyncio.timeout(patience_s):
                    line = await process.stdout.readline()
            except TimeoutError:
                raise Hung(f"no report for {patience_s:.0f} s") from None
            if not line.endswith(b"\n"):
                return
            report = Report.from_line(line)
            self._record.take(report)
            if report.overdue_s > _OVERDUE_S:
                raise Hung(f"a call into the source outstays its time by {report.overdue_s:.1f} s")
            patience_s = _SILENCE_S


async def _end(process: asyncio.subprocess.Process, *, politely: bool) -> None:
    """See that the process is gone, and reaped, even when cancelled meanwhile."""
    if process.stdin is not None:
        process.stdin.close()  # which asks it to end
    if not politely:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    try:
        async with asyncio.timeout(_STOP_MAY_TAKE_S):
            await process.wait()
    except (TimeoutError, asyncio.CancelledError):
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _exit_text(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _python_path() -> str:
    inherited = os.environ.get("PYTHONPATH", "")
    return os.pathsep.join(filter(None, (str(_ROOT), inherited)))
