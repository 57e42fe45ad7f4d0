"""A worker whose stages cost nothing: what is left is the way from Redis and back."""

import asyncio
import sys
from contextlib import aclosing

from prometheus_client import CollectorRegistry

from emotion_streams.connection import connect_async
from service import logs
from service.health import Health
from service.health_server import HealthServer
from service.settings import load
from tests.worker.stubs import stub_context
from worker.app import Worker
from worker.delivery.types import Retention
from worker.ownership.lease import Leases
from worker.settings import WorkerSettings


async def run(settings: WorkerSettings, health: Health) -> None:
    """As the worker's own main, but for its stages: each frame has one face at once."""
    with stub_context(in_flight=settings.in_flight or 8) as context:
        async with aclosing(connect_async(settings.redis)) as client:
            retention = Retention(events=settings.keep_events)
            await Worker(client, Leases(client, "stub"), context, health, retention).run()


def main() -> None:
    """Run until killed."""
    settings = load(WorkerSettings, "worker")
    logs.set_up("info")
    health = Health()
    with HealthServer("127.0.0.1", 0, CollectorRegistry(), health) as server:
        print(f"http://127.0.0.1:{server.port}/metrics", file=sys.stderr, flush=True)
        asyncio.run(run(settings, health))


if __name__ == "__main__":
    main()
