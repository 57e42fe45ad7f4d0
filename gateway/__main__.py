"""Run the gateway: `python -m gateway --redis redis://... --port 8080`."""

import asyncio
import json
import logging
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from emotion_streams import CameraStatus
from emotion_streams.connection import connect
from emotion_streams.service import logs
from emotion_streams.service.command_line import conceal
from emotion_streams.service.health import Health, HealthServer
from emotion_streams.service.metrics import GatewayMetrics, build_info
from emotion_streams.service.settings import InvalidSettings, end, load
from gateway.app import build
from gateway.board import Board
from gateway.feed import Feed
from gateway.history import History
from gateway.hub import Hub
from gateway.pictures import Finish, Pictures, as_it_is
from gateway.services import Services, Slots
from gateway.settings import GatewaySettings, check

log = logging.getLogger("gateway")

_SEND_BUFFER: Final = 256 << 10
"""What the kernel holds for a slow client: more would only be older by the time it is read."""
_UNREAD_MS: Final = 30_000
"""A client that takes nothing for this long is cut off."""
_STOP_S: Final = 1.0
"""How long open answers may take to end; then their connections are cut."""


def main(argv: list[str] | None = None) -> None:
    """Parse, listen, run until a signal."""
    settings = load(GatewaySettings, "gateway", argv, "The live page, and events over HTTP.")
    try:
        check(settings)
        listener = listen(settings.host, settings.port)
    except (InvalidSettings, OSError) as error:
        end("gateway", str(error))
    logs.set_up(settings.log_level)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    # It warns of every write to a client that has just left.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    asyncio.run(run(settings, listener))


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. OSError that names the address where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    # Connections inherit both.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MS)
    return listener


async def run(settings: GatewaySettings, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT."""
    registry = CollectorRegistry()
    build_info(registry, "gateway")
    metrics, health = GatewayMetrics(registry), Health()
    hub, history = Hub(metrics), History()
    with HealthServer(settings.metrics_host, settings.metrics_port, registry, health) as probes:
        async with connect(settings.redis) as client, asyncio.TaskGroup() as group:

            def announce(status: CameraStatus) -> None:
                hub.announce(status.camera, json.dumps(status.to_dict()).encode())

            board = Board(client, health, metrics, on_cameras=history.keep, on_change=announce)
            pictures = Pictures(client, _finish(settings), metrics, group)
            feed = Feed(settings.redis, client, hub, history, pictures.on_event, health)
            readers = [group.create_task(board.run()), group.create_task(feed.run())]
            slots = Slots(settings.max_clients, metrics)
            services = Services(
                client=client,
                board=board,
                hub=hub,
                history=history,
                pictures=pictures if settings.pictures else None,
                blurred=settings.blur_faces,
                slots=slots,
                metrics=metrics,
            )

            def end_streams() -> None:
                # First of all: the server waits for open answers, and streams have no end.
                health.set("stop", "stopping")
                hub.close()
                pictures.close()

            server = _Server(build(settings, services), settings, end_streams)
            host, port = listener.getsockname()[:2]
            address = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
            log.info("the live page is at %s", address, extra={"metrics_port": probes.port})
            await server.serve(sockets=[listener])
            await _cancel(readers)


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel until they have ended: redis-py loses a cancellation that comes together with a
    reply (seen with 8.1)."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=0.1)


def _finish(settings: GatewaySettings) -> Finish:
    if not settings.blur_faces:
        return as_it_is
    from gateway.blur import blur_faces  # OpenCV only where it is needed

    return blur_faces


class _Server(uvicorn.Server):
    """uvicorn, told how streams end, and with signals that only ask it to."""

    def __init__(
        self, app: Starlette, settings: GatewaySettings, end_streams: Callable[[], None]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                # Addresses that clients claim would get round the rate limit.
                proxy_headers=False,
                # Above max_clients, so that streams are refused with words first.
                limit_concurrency=2 * settings.max_clients + 100,
            )
        )
        self._end_streams = end_streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then as uvicorn does; but wait for no client that takes nothing."""
        self._end_streams()
        cut = asyncio.get_running_loop().call_later(_STOP_S, self._cut)
        await super().shutdown(sockets)
        cut.cancel()

    def _cut(self) -> None:
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """In place of uvicorn's, which ends the process by the signal once all is done."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        yield

    def _stop(self) -> None:
        self.should_exit = True


if __name__ == "__main__":
    main(conceal())
