"""`emotion-streams sink --config sinks.yaml`: deliver records to MQTT, webhooks and databases."""

import signal

if __name__ == "__main__":
    # Ignore SIGHUP first: a reload request during start-up must not kill the process.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

import asyncio
import logging
import sys
from contextlib import suppress
from typing import Any, Final

from prometheus_client import CollectorRegistry

from emotion_streams.cancellation import cancel_and_wait
from emotion_streams.connection import connect_async
from service import logs
from service.command_line import conceal
from service.health import Health
from service.health_server import HealthServer
from service.metrics import SinkMetrics, build_info
from service.parser import exit_with_error
from service.reload import Reloader
from sinks.config import Config, load
from sinks.fleet import Fleet
from sinks.states import CameraMonitor

_STOP_S: Final = 5.0
"""How long the sinks may take to disconnect from their targets."""

log = logging.getLogger("sinks")


def main(argv: list[str]) -> int:
    """Run until a signal arrives. Return the exit code: 0, or 2 if the settings are invalid."""
    config = load(argv)
    process = config.process
    registry, health = CollectorRegistry(), Health()
    build_info(registry, "sink")
    metrics = SinkMetrics(registry)
    try:
        server = HealthServer(
            process.metrics_host,
            process.metrics_port,
            registry,
            health,
            process.metrics_allowed_hosts,
        )
    except OSError as error:
        exit_with_error("sink", f"metrics: {error} (--metrics-host, --metrics-port)")
    logs.set_up(process.log_level, process.log_format)
    # They would log every request, with the URL of the webhook.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with server:
        log.info("metrics are served", extra={"port": server.port})
        asyncio.run(_run(config, health, metrics))
    return 0


async def _run(config: Config, health: Health, metrics: SinkMetrics) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    async with connect_async(config.process.redis) as client:
        monitor = CameraMonitor(client, health)
        fleet = Fleet(client, monitor, metrics, health)
        reloader = Reloader(config.path, config.sinks_now, fleet.apply, metrics.config_valid)
        metrics.config_valid.set(1)
        await fleet.apply(config.sinks)
        tasks: list[asyncio.Task[Any]] = [
            asyncio.create_task(monitor.run()),
            asyncio.create_task(reloader.run()),
            asyncio.create_task(fleet.wait_for_failure()),
            asyncio.create_task(stopping.wait()),
        ]
        health.started()
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # raises the error that ended it
        finally:
            health.set("stop", "stopping")
            with suppress(TimeoutError):
                async with asyncio.timeout(_STOP_S):
                    await fleet.close()
            await cancel_and_wait(*tasks)


if __name__ == "__main__":
    sys.exit(main(conceal()))
