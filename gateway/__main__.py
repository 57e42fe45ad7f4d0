"""Run the gateway: `emotion-streams gateway --redis redis://... --port 8080`."""

import asyncio
import json
import logging
import socket
from collections.abc import Collection
from typing import Any

from prometheus_client import CollectorRegistry

from emotion_streams.cancellation import cancel_and_wait
from emotion_streams.connection import connect_async
from gateway.app import build
from gateway.camera_feed import PostProcess, passthrough
from gateway.connections import limit_accept_errors, reserve_files
from gateway.feed import Feed
from gateway.history import History
from gateway.hub import Hub
from gateway.monitor import CameraMonitor
from gateway.pictures import FrameCache
from gateway.published import Published
from gateway.server import Server, listen
from gateway.services import ConnectionLimit, Services
from gateway.settings import GatewaySettings, check
from gateway.trend import Trends
from service import logs
from service.command_line import conceal
from service.health import Health
from service.health_server import HealthServer
from service.listening import address_of
from service.metrics import GatewayMetrics, build_info
from service.parser import exit_with_error
from service.settings import load
from service.settings_file import InvalidSettingsError

log = logging.getLogger("gateway")


def main(argv: list[str] | None = None) -> None:
    """Parse the settings, listen, and run until a signal."""
    if any(argument.partition("=")[0] == "--token" for argument in argv or ()):
        exit_with_error(
            "gateway",
            "token: not accepted on the command line, which other users can read; "
            "set EMOTION_GATEWAY_TOKEN, or `token: ${NAME}` in the file of --config",
        )
    settings = load(GatewaySettings, "gateway", argv, "The live page, and events over HTTP.")
    registry, health = CollectorRegistry(), Health()
    build_info(registry, "gateway")
    try:
        check(settings)
        reserve_files(settings.max_clients)
        finish = _finish(settings)
        listener = listen(settings.host, settings.port)
        probes = _probes(settings, registry, health)
    except (InvalidSettingsError, OSError) as error:
        exit_with_error("gateway", str(error))
    logs.set_up(settings.log_level, settings.log_format)
    # Its warnings are about requests, which any client can send as often as it likes.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    # It warns about every write to a client that has just disconnected.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    address = address_of(*listener.getsockname()[:2])
    log.info("live page: http://%s/", address, extra={"metrics_port": probes.port})
    with probes:
        asyncio.run(run(settings, listener, finish, GatewayMetrics(registry), health))


async def run(
    settings: GatewaySettings,
    listener: socket.socket,
    finish: PostProcess,
    metrics: GatewayMetrics,
    health: Health,
) -> None:
    """Serve until SIGTERM or SIGINT."""
    limit_accept_errors(asyncio.get_running_loop())
    hub, history = Hub(metrics), History()

    async with connect_async(settings.redis) as client, asyncio.TaskGroup() as group:
        monitor = CameraMonitor(client, health, metrics, _Announcer(hub, history))
        pictures = FrameCache(client, finish, metrics, group)

        def on_event(item: Published) -> None:
            monitor.on_event(item)
            pictures.on_event(item)

        feed = Feed(settings.redis, client, hub, history, on_event, health, metrics)
        readers = [
            group.create_task(task) for task in (monitor.run(), feed.run(), feed.run_episodes())
        ]
        services = Services(
            client=client,
            monitor=monitor,
            hub=hub,
            history=history,
            trends=Trends(client),
            pictures=pictures if settings.pictures else None,
            blurred=settings.blur_faces,
            stream_limit=ConnectionLimit(settings.max_clients, metrics),
            metrics=metrics,
        )

        def end_streams() -> None:
            # First, because the server waits for open responses, and streams do not end.
            health.set("stop", "stopping")
            hub.close()
            pictures.close()

        server = Server(build(settings, services), settings.max_clients, end_streams)
        await server.serve(sockets=[listener])
        await cancel_and_wait(*readers)


class _Announcer:
    """Passes changes of the cameras on to the clients and to the history."""

    def __init__(self, hub: Hub, history: History) -> None:
        self._hub = hub
        self._history = history
        self.on_removed = hub.announce_removed
        self.on_redis = hub.announce_redis

    def on_cameras(self, cameras: Collection[str]) -> None:
        self._hub.keep(cameras)
        self._history.keep(cameras)

    def on_change(self, status: dict[str, Any], figures_only: bool) -> None:
        self._hub.announce(status["camera"], json.dumps(status).encode(), figures_only)


def _finish(settings: GatewaySettings) -> PostProcess:
    """Return the processing of pictures before they are sent.

    OpenCV is imported only if it is needed.
    """
    if not settings.blur_faces:
        return passthrough
    try:
        from gateway.blur import blur_faces
    except ImportError as error:
        raise InvalidSettingsError(
            f"blur_faces: {error}; install it with pip install 'emotion-streams[blur]'"
        ) from error
    return blur_faces


def _probes(settings: GatewaySettings, registry: CollectorRegistry, health: Health) -> HealthServer:
    try:
        return HealthServer(
            settings.metrics_host,
            settings.metrics_port,
            registry,
            health,
            settings.metrics_allowed_hosts,
        )
    except OSError as error:
        raise OSError(f"metrics: {error} (--metrics-host, --metrics-port)") from error


if __name__ == "__main__":
    main(conceal())
