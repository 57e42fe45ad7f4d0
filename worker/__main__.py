"""Entry point of `emotion-streams worker`: parse the settings, connect the parts, run."""

import asyncio
import faulthandler
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, aclosing, contextmanager
from typing import Final

import cv2
from prometheus_client import CollectorRegistry

from emotion_streams.connection import connect_async
from emotion_streams.redaction import redact_url
from service import logs
from service.command_line import conceal
from service.health import Health
from service.health_server import HealthServer
from service.listening import address_of
from service.parser import exit_with_error
from service.settings import load
from worker.app import Worker
from worker.build import build_context, retention
from worker.hangs import FrameHungError
from worker.inference.detect.choose import DetectorUnavailableError
from worker.inference.engines.choose import EngineUnavailableError
from worker.model.card import InvalidReleaseError
from worker.ownership.lease import Leases
from worker.persistence import warn_if_persistent
from worker.settings import WorkerSettings
from worker.supervisor import PlacementError, supervise_workers

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

_LAST_FRAME_S: Final = 1.0
"""Longest time that an exiting worker waits for abandoned frames that are still in its threads."""

log = logging.getLogger("worker")


def main(argv: list[str] | None = None) -> int:
    """Run a worker until SIGTERM or SIGINT, and return its exit code.

    A second signal ends the process at once.
    """
    settings = load(WorkerSettings, "worker", argv, "Analyse the frames of attached cameras.")
    logs.set_up(settings.log_level, settings.log_format)
    if settings.gpus or settings.processes > 1:
        try:
            return supervise_workers(settings, sys.argv[1:] if argv is None else argv)
        except PlacementError as error:
            exit_with_error("worker", str(error))
    # Exit at once during start-up. _stop_on_signals replaces these handlers before any camera is
    # acquired.
    for number in _SIGNALS:
        signal.signal(number, lambda *_: sys.exit(0))
    # Frames are processed concurrently, one thread each. OpenCV's own pool would compete with
    # these threads.
    cv2.setNumThreads(1)
    registry, health = CollectorRegistry(), Health()
    try:
        server = HealthServer(
            settings.metrics_host,
            settings.metrics_port,
            registry,
            health,
            settings.metrics_allowed_hosts,
        )
    except OSError as error:
        exit_with_error("worker", f"metrics: {error} (--metrics-host, --metrics-port)")
    with server:
        log.info("metrics at http://%s/metrics", address_of(settings.metrics_host, server.port))
        code = _exit_code(settings, registry, health)
    _end_threads(code)
    return code


def _exit_code(settings: WorkerSettings, registry: CollectorRegistry, health: Health) -> int:
    """Run the worker, and return its exit code. Exits itself if a model cannot be used."""
    try:
        return asyncio.run(_run(settings, registry, health))
    except (InvalidReleaseError, DetectorUnavailableError, EngineUnavailableError) as error:
        exit_with_error("worker", str(error))
    except SystemExit:
        log.info("stop requested during start-up")
        return 0
    except Exception:
        log.critical("the worker crashed", exc_info=True)
        return 1


async def _run(settings: WorkerSettings, registry: CollectorRegistry, health: Health) -> int:
    code = 0
    with _pools() as new_pool:
        context = await build_context(settings, registry, new_pool)
        # Unique per start, so that an earlier process of the same name is a different owner.
        owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        # Not `async with client`: that requires a cluster to be reachable already.
        async with aclosing(connect_async(settings.redis)) as client:
            leases = Leases(client, owner, settings.weight, settings.lease_ms)
            worker = Worker(client, leases, context, health, retention(settings))
            _stop_on_signals(worker)
            log.info("worker %s at %s", owner, redact_url(settings.redis))
            warning = asyncio.create_task(warn_if_persistent(client))
            try:
                await worker.run()
            except* FrameHungError as stuck:
                log.critical("%s", stuck.exceptions[0])
                faulthandler.dump_traceback(sys.stderr, all_threads=True)
                code = 1
            finally:
                warning.cancel()
    return code


@contextmanager
def _pools() -> Iterator[Callable[[int, str], Executor]]:
    """Create thread pools whose threads are not waited for at the end, because one may hang."""
    with ExitStack() as ends:

        def new_pool(threads: int, name: str) -> Executor:
            pool = ThreadPoolExecutor(threads, name)
            ends.callback(pool.shutdown, wait=False, cancel_futures=True)
            return pool

        yield new_pool


def _end_threads(code: int) -> None:
    """Wait for the threads for up to _LAST_FRAME_S; end the process at once if one still runs.

    A thread cannot be killed, and Python would wait for it.
    """
    threads = [thread for thread in threading.enumerate() if not thread.daemon]
    threads.remove(threading.main_thread())
    deadline = time.monotonic() + _LAST_FRAME_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if any(thread.is_alive() for thread in threads):
        os._exit(code)


def _stop_on_signals(worker: Worker) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        worker.stop()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, lambda number, _: os._exit(128 + number))

    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)


if __name__ == "__main__":
    sys.exit(main(conceal()))
