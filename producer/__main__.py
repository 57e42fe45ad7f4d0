"""`python -m producer`: cameras into frames streams."""

import asyncio
import logging
import signal
import sys

from prometheus_client import CollectorRegistry

from emotion_streams.service import logs
from emotion_streams.service import settings as service
from emotion_streams.service.health import Health, HealthServer
from emotion_streams.service.metrics import ProducerMetrics, build_info
from producer.child import Order
from producer.registry import CameraRecord, Registry
from producer.settings import ProducerSettings, camera_settings
from producer.supervisor import CameraSupervisor, SourceMissing

_log = logging.getLogger("producer")


def main(argv: list[str] | None = None) -> int:
    """Run a camera until it ends or a signal comes: exit code 0; 1 where the source does not exist,
    2 where the settings are wrong."""
    settings = service.load(ProducerSettings, "producer", argv, "A camera into a frames stream.")
    logs.set_up(settings.log_level)
    registry = CollectorRegistry()
    health = Health()
    build_info(registry, "producer")
    metrics = ProducerMetrics(registry)
    metrics.config_valid.set(1)
    try:
        server = HealthServer(settings.metrics_host, settings.metrics_port, registry, health)
    except OSError as error:
        address = f"{settings.metrics_host}:{settings.metrics_port}"
        service.end("producer", f"{address} for the metrics: {error.strerror}")
    with server:
        _log.info("metrics", extra={"port": server.port})
        try:
            return asyncio.run(_run(settings, health, metrics))
        except SourceMissing as error:
            print(f"producer: {settings.camera}: {error}", file=sys.stderr)
            return 1


async def _run(settings: ProducerSettings, health: Health, metrics: ProducerMetrics) -> int:
    if settings.camera is None:
        service.end("producer", "--camera is missing")
    one = camera_settings(settings)
    record = CameraRecord(settings.camera, one.policy, metrics)
    order = Order(settings.camera, settings.redis, settings.log_level, False, one)
    registry = Registry(settings.redis, health, lambda: [record])
    health.set("redis", "Redis was not reached yet")
    health.started()
    camera = asyncio.create_task(CameraSupervisor(order, record, metrics).run())
    telling = asyncio.create_task(registry.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, camera.cancel)
    try:
        await camera
    except asyncio.CancelledError:
        return 0
    finally:
        telling.cancel()
        await asyncio.wait([telling])
        await registry.tell()
        await registry.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
