"""A worker whose stages do nothing: what is left is the way from Redis and back."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from emotion_streams.connection import connect
from emotion_streams.emotions import EMOTIONS
from emotion_streams.events import Model
from emotion_streams.service import logs
from emotion_streams.service.health import Health, HealthServer
from emotion_streams.service.metrics import WorkerMetrics
from emotion_streams.service.settings import load
from worker.app import Worker
from worker.batch import Batcher
from worker.find import FaceFinder, Found
from worker.lease import Leases
from worker.settings import WorkerSettings
from worker.slots import Slots
from worker.stream import Retention
from worker.workshop import Workshop


class NoFinder(FaceFinder):
    """Looks at nothing."""

    detector = "none"

    def __init__(self) -> None:
        self._found = Found(480, 270, (), np.empty((0, 32, 32, 3), np.uint8), 0.0, 0.0)

    def find(self, jpeg: bytes) -> Found:
        return self._found


class NoEngine:
    """Is never asked."""

    name, max_batch, lanes = "none", 8, 1

    def warm(self) -> None: ...

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.full((len(crops), len(EMOTIONS)), 1 / len(EMOTIONS), np.float32)


async def run(settings: WorkerSettings, registry: CollectorRegistry, health: Health) -> None:
    """As the worker's own main, but for its stages."""
    metrics = WorkerMetrics(registry)
    with ThreadPoolExecutor(1) as threads:
        async with aclosing(connect(settings.redis)) as client:
            shop = Workshop(
                finder=NoFinder(),
                threads=threads,
                batcher=Batcher(NoEngine(), threads, metrics),
                labels=tuple(EMOTIONS),
                model=Model("none", "0", "none"),
                slots=Slots(1, settings.in_flight),
                metrics=metrics,
            )
            retention = Retention(events=settings.keep_events)
            await Worker(client, Leases(client, "stub"), shop, health, retention).run()


def main() -> None:
    """Run until killed."""
    settings = load(WorkerSettings, "worker")
    logs.set_up("info")
    registry, health = CollectorRegistry(), Health()
    with HealthServer("127.0.0.1", 0, registry, health) as server:
        print(f"http://127.0.0.1:{server.port}/metrics", file=sys.stderr, flush=True)
        asyncio.run(run(settings, registry, health))


if __name__ == "__main__":
    main()
