"""One worker per GPU, or several on a CPU: started, watched, started again when one falls.

A process each, since a framework that fails on one device must not take the others along; each has
cameras of its own by its leases, as if it ran on another machine.
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
"""A worker that ran for this long is started again at once when it falls."""

WRONG_SETTINGS: Final = 2
"""Exit code of a worker that no new start would help."""

_LAST_PORT: Final = 65_535
_GRACE_S: Final = 15.0
# More than a worker takes to hand its cameras over.
_ROOT: Final = Path(__file__).parent.parent
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None)

log = logging.getLogger(__name__)


_PORT_STEP: Final = 10
"""From one worker's metrics port to the next one's: those after it are the producer's and the
gateway's."""


class PlacementError(ValueError):
    """The workers asked for cannot run here side by side: why not."""


@dataclass(frozen=True)
class Place:
    """Where one of the workers runs: its number, its GPU (None: a CPU), and what its command line
    has beyond the one given."""

    number: int
    gpu: str | None
    options: tuple[str, ...]


def places(settings: WorkerSettings, gpus: Sequence[str], cores: int) -> list[Place]:
    """One place per worker. `gpus` are those visible. Raises PlacementError."""
    chosen: list[str | None]
    chosen = _chosen_gpus(settings, gpus) if settings.gpus else [None] * settings.processes
    last_port = settings.metrics_port + _PORT_STEP * (len(chosen) - 1)
    if settings.metrics_port and last_port > _LAST_PORT:
        raise PlacementError(
            f"--metrics-port {settings.metrics_port}: {len(chosen)} workers would take ports up to "
            f"{last_port}, and {_LAST_PORT} is the last"
        )
    # A worker for a GPU must not end up on the CPU: this engine runs on the GPU or says why not.
    engine = ("--engine", "keras") if settings.gpus else ()
    share = max(1, cores // len(chosen))
    threads = () if "threads" in settings.model_fields_set else ("--threads", str(share))

    def options(number: int) -> tuple[str, ...]:
        """Those given last count; these end the settings that brought us here."""
        port = settings.metrics_port + _PORT_STEP * number if settings.metrics_port else 0
        return ("--gpus", "", "--processes", "1", "--metrics-port", str(port), *engine, *threads)

    return [Place(number, gpu, options(number)) for number, gpu in enumerate(chosen)]


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


def watch_workers(settings: WorkerSettings, argv: Sequence[str]) -> int:
    """Run the workers until SIGTERM or SIGINT, which each of them is sent; a second signal ends
    them at once. Exit code 2 where one finds its settings wrong. Raises PlacementError."""
    where = places(settings, visible_gpus(), len(os.sched_getaffinity(0)))
    return asyncio.run(_watch([Supervised(place, argv) for place in where]))


async def _watch(workers: "list[Supervised]") -> int:
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
    if not signals:  # one will not be started again: the others would hide that
        stop()
    await asyncio.wait(running)
    return max(task.result() for task in (*done, *running))


class Supervised:
    """One of the workers, and its life after death."""

    def __init__(self, place: Place, argv: Sequence[str]) -> None:
        self._place = place
        self._command = [sys.executable, "-m", "worker", *argv, *place.options]
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    def stop(self, *, at_once: bool) -> None:
        """SIGTERM, or SIGKILL at once; run() returns when it has ended."""
        self._stopping.set()
        self._send(signal.SIGKILL if at_once else signal.SIGTERM)

    async def run(self) -> int:
        """Keep it running until it is stopped: 0, or 2 where its settings are wrong."""
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
                "a worker fell with code %s; starting it again in %.1f s",
                code,
                delay,
                extra=self._about(),
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
        return 0

    async def _run_once(self) -> int:
        gpu = self._place.gpu
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
            # Away from the terminal's Ctrl-C: two signals would end it without handing over.
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        log.info("worker started", extra={"pid": self._process.pid, **self._about()})
        if self._stopping.is_set():  # the signal came while it was being started
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
        gpu = self._place.gpu
        return {"worker": self._place.number, **({} if gpu is None else {"gpu": gpu})}


def _end_with_parent() -> None:
    """In the child, before it runs: SIGTERM it when its supervisor dies, however it dies."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
