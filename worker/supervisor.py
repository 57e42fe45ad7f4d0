"""Runs one worker per GPU, or several on a CPU, and restarts each worker that crashes.

Each worker is a process, so that a framework that fails on one device does not affect the other
workers. Each owns cameras by its own leases, as if it ran on another machine.
"""

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emotion_streams.backoff import delays
from worker.inference.devices import visible_gpus
from worker.settings import WorkerSettings

BACKOFF_S: Final = (0.5, 30.0)
STABLE_S: Final = 60.0
"""After a run longer than this, a crashed worker is restarted with the shortest delay."""

WRONG_SETTINGS: Final = 2
"""Exit code of a worker whose settings are invalid. A restart would not help."""

_LAST_PORT: Final = 65_535
_GRACE_S: Final = 15.0
# Longer than a worker takes to release its cameras.
_ROOT: Final = Path(__file__).parent.parent
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None)

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
    chosen: list[str | None]
    chosen = _chosen_gpus(settings, gpus) if settings.gpus else [None] * settings.processes
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
    if settings.processes > 1:
        raise PlacementError(
            f"{asked} runs one worker per GPU; --processes is for CPUs: give one of them"
        )
    if settings.engine in ("mnn", "openvino"):
        raise PlacementError(
            f"{asked}: engine {settings.engine} runs on CPUs; leave --engine out, or take "
            "--processes"
        )
    chosen = list(visible) if settings.gpus == "all" else settings.gpus.split(",")
    if not chosen or not set(chosen) <= set(visible):
        there = f"visible are {', '.join(visible)}" if visible else "no NVIDIA GPU is visible"
        raise PlacementError(f"{asked}: {there}")
    if len(set(chosen)) < len(chosen):
        raise PlacementError(f"{asked}: a GPU is named twice, and takes one worker")
    return [*chosen]


def supervise_workers(settings: WorkerSettings, argv: Sequence[str]) -> int:
    """Run the workers until SIGTERM or SIGINT, and return the exit code.

    The first signal is forwarded to each worker as SIGTERM; a second signal kills the workers at
    once. The exit code is 2 if a worker finds its settings invalid. Raises PlacementError.
    """
    where = plan_placements(settings, visible_gpus(), len(os.sched_getaffinity(0)))
    return asyncio.run(_supervise([WorkerProcess(placement, argv) for placement in where]))


async def _supervise(workers: "list[WorkerProcess]") -> int:
    loop = asyncio.get_running_loop()
    signals = 0

    def stop() -> None:
        nonlocal signals
        signals += 1
        for worker in workers:
            worker.stop(at_once=signals > 1)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    running = [asyncio.create_task(worker.run()) for worker in workers]
    done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    if not signals:  # one will not be restarted: if the others ran on, they would hide that
        stop()
    await asyncio.wait(running)
    return max(task.result() for task in (*done, *running))


class WorkerProcess:
    """The process of one worker: starts it, and restarts it when it crashes."""

    def __init__(self, placement: Placement, argv: Sequence[str]) -> None:
        self._placement = placement
        self._command = [sys.executable, "-m", "worker", *argv, *placement.options]
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    def stop(self, *, at_once: bool) -> None:
        """Send SIGTERM, or SIGKILL if `at_once`; run() returns when the process has ended."""
        self._stopping.set()
        self._send(signal.SIGKILL if at_once else signal.SIGTERM)

    async def run(self) -> int:
        """Keep the worker running until it is stopped; return 0, or 2 for invalid settings."""
        backoff = delays(*BACKOFF_S)
        while not self._stopping.is_set():
            began = time.monotonic()
            code = await self._run_once()
            if self._stopping.is_set() or code == WRONG_SETTINGS:
                return WRONG_SETTINGS if code == WRONG_SETTINGS else 0
            if time.monotonic() - began > STABLE_S:
                backoff = delays(*BACKOFF_S)
            delay = next(backoff)
            log.error(
                "worker crashed with code %s; restarting it in %.1f s",
                code,
                delay,
                extra=self._about(),
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
        return 0

    async def _run_once(self) -> int:
        gpu = self._placement.gpu
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            # Not by a working directory: the command line may name files relative to this one.
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(
                    filter(None, (str(_ROOT), os.environ.get("PYTHONPATH")))
                ),
                **({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}),
            },
            # Not in the terminal's process group: Ctrl-C would reach the worker as a second signal
            # and end it before it releases its cameras.
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        log.info("worker started", extra={"pid": self._process.pid, **self._about()})
        if self._stopping.is_set():  # the signal arrived while the process was started
            self._send(signal.SIGTERM)
        ending = asyncio.create_task(self._process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({ending, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            await asyncio.wait({ending}, timeout=_GRACE_S)
            self._send(signal.SIGKILL)
        stopping.cancel()
        return await ending

    def _send(self, number: signal.Signals) -> None:
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _about(self) -> dict[str, object]:
        gpu = self._placement.gpu
        return {"worker": self._placement.number, **({} if gpu is None else {"gpu": gpu})}


def _end_with_parent() -> None:
    """Make the kernel send SIGTERM to this process when its supervisor dies for any reason.

    Runs in the child process, before the worker starts.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
