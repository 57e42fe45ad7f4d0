"""Supervision of processes that crash, hang, write garbage, or cannot be started."""

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from prometheus_client import CollectorRegistry

from emotion_streams.cameras import CameraState
from producer import supervisor
from producer.config import parse_camera
from producer.messages import CameraSpec, Counts, Report
from producer.registry import CameraRecord
from producer.supervisor import CameraSupervisor
from service.metrics import ProducerMetrics
from tests.servers import PATIENCE_S, eventually

Program: TypeAlias = Callable[[str], Path]


def line(*, stable: bool = False, overdue_s: float = 0, **counts: int) -> str:
    """A report, as a shell prints it."""
    report = Report(CameraState.UP, stable=stable, overdue_s=overdue_s, counts=Counts(**counts))
    return f"echo '{report.to_line().strip()}'\n"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Writes a camera's process as a shell script, which notes that it was started."""

    def _program(script: str) -> Path:
        path = tmp_path / "process"
        path.write_text(f"#!/bin/sh\nread spec\necho >>{tmp_path}/starts\n{script}")
        path.chmod(0o755)
        return path

    return _program


class Supervised:
    """A supervisor of such a process, at work. `backoffs`: how often its delays were reset."""

    def __init__(self, path: Path) -> None:
        self._starts = path.with_name("starts")
        self._registry = CollectorRegistry()
        metrics = ProducerMetrics(self._registry)
        self.backoffs = 0
        self.record = CameraRecord("door", metrics)
        spec = CameraSpec("door", "redis://box", "info", True, parse_camera({}, {}), [])
        self.task = asyncio.create_task(
            CameraSupervisor(spec, self.record, metrics, [str(path)], self._delays).run()
        )

    def _delays(self) -> Iterator[float]:
        self.backoffs += 1
        return itertools.repeat(0.01)

    @property
    def starts(self) -> int:
        return self._starts.read_text().count("\n") if self._starts.exists() else 0

    def total(self, name: str, **labels: str) -> float:
        return self._registry.get_sample_value(name, {"camera": "door", **labels}) or 0.0

    async def until(self, predicate: Callable[["Supervised"], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not predicate(self):  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def supervised(path: Path) -> AsyncIterator[Supervised]:
    at_work = Supervised(path)
    try:
        yield at_work
    finally:
        at_work.task.cancel()
        await asyncio.wait([at_work.task], timeout=PATIENCE_S)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("exit 3", "process crashed (exit code 3)"),
        ("echo hello", "process sent an invalid report"),
        ("echo '[1]'", "process sent an invalid report"),
        (
            "head -c 200000 /dev/zero | tr '\\0' x; exec sleep 60",
            "process sent an invalid report",
        ),
        (line(overdue_s=2) + "exec sleep 60", "process hung: a call exceeds its time limit"),
    ],
)
async def test_crashed_or_hung_process_is_reported_and_restarted(
    program: Program, script: str, error: str
) -> None:
    async with supervised(program(script)) as door:
        await door.until(lambda door: door.starts >= 3)
        await door.until(lambda door: error in door.record.report.error)
        assert door.total("emotion_camera_restarts_total") >= 2


async def test_process_that_cannot_be_started_is_retried(program: Program) -> None:
    path = program(line() + "exec sleep 60")
    path.chmod(0o644)
    async with supervised(path) as door:
        await door.until(lambda door: "process could not be started" in door.record.report.error)
        path.chmod(0o755)
        await door.until(lambda door: door.record.report.state is CameraState.UP)


async def test_cancellation_while_a_process_ends_starts_no_further_process(
    program: Program, tmp_path: Path
) -> None:
    with contextlib.chdir(tmp_path):
        script = line(captured=9, published=5) + "exec 1>&-; echo >ending; exec sleep 60"
        async with supervised(program(script)) as door:
            await door.until(lambda door: door.total("emotion_captured_frames_total") == 9)
            await door.until(lambda _: (tmp_path / "ending").exists())
            door.task.cancel()
            done, _ = await asyncio.wait([door.task], timeout=PATIENCE_S)
            assert done
            assert door.starts == 1
            assert door.total("emotion_capture_drops_total", reason="restart") == 4


@pytest.mark.parametrize(("stable", "reset"), [(True, True), (False, False)])
async def test_backoff_is_reset_after_a_stable_process(
    program: Program, stable: bool, reset: bool
) -> None:
    script = line(stable=stable) + line(overdue_s=2) + "exec sleep 60"
    async with supervised(program(script)) as door:
        await door.until(lambda door: door.starts >= 4)
        assert (door.backoffs > 1) == reset


async def test_frames_in_flight_when_a_process_crashes_are_counted(program: Program) -> None:
    script = line(captured=9, published=5, rate_skipped=1, undecodable=1) + "exit 3"
    async with supervised(program(script)) as door:
        await door.until(lambda door: door.starts >= 3)
        lost = door.total("emotion_capture_drops_total", reason="restart")
        assert lost == 2 * door.total("emotion_camera_restarts_total")


async def test_final_report_of_a_stopped_process_is_read(program: Program) -> None:
    script = line(captured=5) + "read end\n" + line(captured=7, published=7)
    async with supervised(program(script)) as door:
        await door.until(lambda door: door.total("emotion_captured_frames_total") == 5)
    assert door.total("emotion_captured_frames_total") == 7
    assert door.total("emotion_published_frames_total") == 7
    assert door.total("emotion_capture_drops_total", reason="restart") == 0


async def test_suspended_supervisor_kills_no_process_when_it_resumes(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_REPORT_TIMEOUT_S", timeout_s := 4.0)
    go, reported = tmp_path / "go", tmp_path / "reported"
    os.mkfifo(go)
    on_demand = f"while read _ <{go}\ndo {line(captured=5)}touch {reported}\ndone"
    async with supervised(program(line() + on_demand)) as door:
        await door.until(lambda door: door.record.report.state is CameraState.UP)
        until = time.monotonic() + 1.2 * timeout_s
        # As a machine that sleeps: reports come, and the loop does not run.
        go.write_text("on\n")
        eventually(reported.exists)
        time.sleep(max(0.0, until - time.monotonic()))  # noqa: ASYNC251
        await door.until(lambda door: door.total("emotion_captured_frames_total") == 5)
        await asyncio.sleep(0.2)  # in which it would be killed
        assert door.starts == 1
