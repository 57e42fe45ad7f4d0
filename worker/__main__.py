"""Entry point of `python -m worker`: parse the settings, connect the parts, run."""

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
from emotion_streams.events import Model
from emotion_streams.redaction import redact_url
from service import logs
from service.command_line import conceal
from service.health import Health, HealthServer
from service.listening import address_of
from service.metrics import WorkerMetrics, build_info
from service.settings import exit_with_error, load
from worker.app import FrameHungError, Worker
from worker.context import RedisClock, WorkerContext
from worker.delivery.types import Retention
from worker.inference.batch import Batcher
from worker.inference.choose_detection import DetectorOptions, choose_detection
from worker.inference.detect.choose import DetectorUnavailableError
from worker.inference.engines.choose import EngineUnavailableError, build_engine
from worker.inference.permits import InFlightLimiter, default_in_flight
from worker.inference.pipeline import FramePipeline
from worker.model import release
from worker.model.card import InvalidReleaseError
from worker.ownership.lease import Leases
from worker.persistence import warn_if_persistent
from worker.settings import WorkerSettings
from worker.supervisor import PlacementError, supervise_workers
from worker.tracking import Policy

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
        try:
            code = asyncio.run(_run(settings, registry, health))
        except (InvalidReleaseError, DetectorUnavailableError, EngineUnavailableError) as error:
            exit_with_error("worker", str(error))
        except SystemExit:
            log.info("stop requested during start-up")
            code = 0
        except Exception:
            log.critical("the worker crashed", exc_info=True)
            code = 1
    _end_threads(code)
    return code


async def _run(settings: WorkerSettings, registry: CollectorRegistry, health: Health) -> int:
    code = 0
    with _pools() as new_pool:
        context = await _build_context(settings, registry, new_pool)
        # Unique per start, so that an earlier process of the same name is a different owner.
        owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        # Not `async with client`: that requires a cluster to be reachable already.
        async with aclosing(connect_async(settings.redis)) as client:
            leases = Leases(client, owner, settings.weight, settings.lease_ms)
            worker = Worker(client, leases, context, health, _retention(settings))
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


async def _build_context(
    settings: WorkerSettings,
    registry: CollectorRegistry,
    new_pool: Callable[[int, str], Executor],
) -> WorkerContext:
    """Load the models and warm them."""
    metrics, clock = WorkerMetrics(registry), RedisClock()
    released = release.load(settings.model)
    engine = build_engine(settings.engine, released, settings.threads, settings.device)
    card = released.card
    del released  # 22 MB of weights; the engine has its own copy in another form
    options = DetectorOptions(
        settings.detector, settings.detector_model, settings.detect_side, settings.threads
    )
    threads = new_pool(settings.threads, "frames")
    detection = choose_detection(options, engine, card, threads, new_pool, metrics)
    model = Model(card.name, card.version, detection.detector)
    build_info(registry, "worker", model=f"{model.name} {model.version}", engine=engine.name)
    engine_threads = new_pool(engine.instances, "engine")
    await asyncio.get_running_loop().run_in_executor(engine_threads, engine.warm)
    await detection.warm()
    log.info(
        "model %s %s is warm",
        model.name,
        model.version,
        extra={"engine": engine.name, "detector": model.detector},
    )
    batcher = Batcher(engine, engine_threads, metrics)
    in_flight = default_in_flight(settings.threads, engine, detection.in_batches)
    return WorkerContext(
        pipeline=FramePipeline(detection, batcher, card.labels, clock.now_ms),
        model=model,
        limiter=InFlightLimiter(settings.threads, settings.in_flight or in_flight),
        metrics=metrics,
        clock=clock,
        policy=Policy(settings.min_people, settings.neutral_episodes),
        reuse_ms=settings.reuse_ms,
    )


def _retention(settings: WorkerSettings) -> Retention:
    return Retention(
        events=settings.keep_events,
        episodes=settings.keep_events,
        age_ms=round(settings.keep_hours * 3_600_000),
        minutes_age_ms=round(settings.keep_minutes_days * 86_400_000),
    )


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
