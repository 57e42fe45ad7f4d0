"""Builds the parts of a worker from its settings."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor

from prometheus_client import CollectorRegistry

from emotion_streams.events import Model
from service.metrics import WorkerMetrics, build_info
from worker.context import RedisClock, WorkerContext
from worker.delivery.types import Retention
from worker.inference.batcher import Batcher
from worker.inference.choose_detection import DetectorOptions, choose_detection
from worker.inference.engines.choose import build_engine
from worker.inference.permits import InFlightLimiter, default_in_flight
from worker.inference.pipeline import FramePipeline
from worker.model import release
from worker.settings import WorkerSettings
from worker.tracking import Policy

log = logging.getLogger(__name__)


async def build_context(
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


def retention(settings: WorkerSettings) -> Retention:
    """Return how long the streams of a camera are kept."""
    return Retention(
        events=settings.keep_events,
        episodes=settings.keep_events,
        age_ms=round(settings.keep_hours * 3_600_000),
        minutes_age_ms=round(settings.keep_minutes_days * 86_400_000),
    )
