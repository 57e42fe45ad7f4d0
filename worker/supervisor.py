"""Runs one worker per GPU, or several on a CPU, and restarts each worker that crashes.

Each worker is a process, so that a framework that fails on one device does not affect the other
workers. Each owns cameras by its own leases, as if it ran on another machine.
"""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from emotion_streams.backoff import Retries
from service.supervision import (
    ChildProcess,
    ProcessCrashedError,
    exit_text,
    module_environ,
    restart_delays,
)
from worker.inference.devices import visible_gpus
from worker.settings import WorkerSettings

STABLE_S: Final = 60.0
"""After a run longer than this, a crashed worker is restarted with the shortest delay."""

WRONG_SETTINGS: Final = 2
"""Exit code of a worker whose settings are invalid. A restart would not help."""

_LAST_PORT: Final = 65_535
# Longer than a worker takes to release its cameras.
_GRACE_S: Final = 15.0

log = logging.getLogger(__name__)


_PORT_STEP: Final = 10
"""Distance between the metrics ports of consecutive workers. The ports directly after the first are
those of the producer and the gateway."""


class PlacementError(ValueError):
    """The requested workers cannot run together on this machine; the message says why."""


@dataclass(frozen=True)
class Placement:
    """Where one of the workers runs.

    `number`: the worker's number. `gpu`: its GPU, None for a CPU. `options`: added to the given
    command line.
    """

    number: int
    gpu: str | None
    options: tuple[str, ...]


def plan_placements(settings: WorkerSettings, gpus: Sequence[str], cores: int) -> list[Placement]:
    """Return one placement per worker. `gpus` are the visible ones. Raises PlacementError."""
    places: list[str | None] = _chosen_gpus(settings, gpus) if settings.gpus else [None]
    chosen = places * settings.processes
    last_port = settings.metrics_port + _PORT_STEP * (len(chosen) - 1)
    if settings.metrics_port and last_port > _LAST_PORT:
        raise PlacementError(
            f"--metrics-port {settings.metrics_port}: {len(chosen)} workers would take ports up to "
            f"{last_port}, and {_LAST_PORT} is the last"
        )
    # A worker for a GPU must not run on the CPU: this engine runs on the GPU, or fails with the
    # reason.
    engine = ("--engine", "keras") if settings.gpus else ()
    share = max(1, cores // len(chosen))
    threads = () if "threads" in settings.model_fields_set else ("--threads", str(share))

    def options(number: int) -> tuple[str, ...]:
        """Return options that override the settings which started the supervisor.

        They come last on the command line, and the last value of an option counts.
        """
        port = settings.metrics_port + _PORT_STEP * number if settings.metrics_port else 0
        return ("--gpus", "", "--processes", "1", "--metrics-port", str(port), *engine, *threads)

    return [Placement(number, gpu, options(number)) for number, gpu in enumerate(chosen)]


def _chosen_gpus(settings: WorkerSettings, visible: Sequence[str]) -> list[str | None]:
    asked = f"--gpus {settings.gpus}"
    if settings.engine in ("mnn", "openvino"):
        raise PlacementError(
            f"{asked}: engine {settings.engine} runs on CPUs; leave --engine out, or --gpus"
        )
    chosen = list(visible) if settings.gpus == "all" else settings.gpus.split(",")
    if not chosen or not set(chosen) <= set(visible):
        there = f"visible are {', '.join(visible)}" if visible else "no NVIDIA GPU is visible"
        raise PlacementError(f"{asked}: {there}")
    if len(set(chosen)) < len(chosen):
        raise PlacementError(f"{asked}: a GPU is named twice; --processes sets the workers per GPU")
    return [*chosen]


def supervise_workers(settings: WorkerSettings, argv: Sequence[str]) -> int:
    """Run the workers until SIGTERM or SIGINT, and return the exit code.

    The first signal is forwarded to each worker as SIGTERM; a second signal kills the workers at
    once. The exit code is 2 if a worker finds its settings invalid. Raises PlacementError.
    """
    placements = plan_placements(settings, visible_gpus(), len(os.sched_getaffinity(0)))
    return asyncio.run(_supervise([WorkerProcess(placement, argv) for placement in placements]))


async def _supervise(workers: "list[WorkerProcess]") -> int:
    running = [asyncio.create_task(worker.run()) for worker in workers]
    stopping = False

    def stop() -> None:
        nonlocal stopping
        for worker, task in zip(workers, running, strict=True):
            worker.kill() if stopping else task.cancel()
        stopping = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    if not stopping:  # A worker ended for good. If the others ran on, they would hide that.
        stop()
    await asyncio.wait(running)
    return max(0 if task.cancelled() else task.result() for task in running)


class WorkerProcess:
    """The process of one worker: starts it, and restarts it when it crashes."""

    def __init__(self, placement: Placement, argv: Sequence[str]) -> None:
        self._placement = placement
        self._command = [sys.executable, "-m", "worker", *argv, *placement.options]
        self._process: ChildProcess | None = None

    def kill(self) -> None:
        """Kill the process at once."""
        if self._process is not None:
            self._process.kill()

    async def run(self) -> int:
        """Keep the worker running until cancelled; it is then stopped by SIGTERM.

        Return WRONG_SETTINGS if its settings are invalid.
        """
        restarts = Retries(ProcessCrashedError, self._on_crash, restart_delays)
        async for attempt in restarts:
            began = time.monotonic()
            with attempt:
                return await self._run_once()
            if time.monotonic() - began > STABLE_S:
                restarts.reset()
        raise AssertionError("the restarts are endless")

    def _on_crash(self, error: ProcessCrashedError) -> None:
        log.error("restarting worker: %s", error, extra=self._about())

    async def _run_once(self) -> int:
        gpu = self._placement.gpu
        self._process = process = await ChildProcess.start(
            self._command,
            # Not by a working directory: the command line may name files relative to this one.
            {**module_environ(), **({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu})},
        )
        log.info("worker started", extra={"pid": process.pid, **self._about()})
        try:
            code = await process.wait()
        finally:
            await process.stop(_GRACE_S)
            self._process = None
        if code != WRONG_SETTINGS:
            raise ProcessCrashedError(f"worker exited ({exit_text(code)})")
        return code

    def _about(self) -> dict[str, object]:
        gpu = self._placement.gpu
        return {"worker": self._placement.number, **({} if gpu is None else {"gpu": gpu})}
