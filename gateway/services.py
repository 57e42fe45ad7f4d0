"""The services that handlers use."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request

from emotion_streams import keys
from emotion_streams.connection import Client
from gateway.history import History
from gateway.hub import Hub
from gateway.monitor import CameraMonitor
from gateway.pictures import FrameCache
from gateway.trend import Trends
from service.metrics import GatewayMetrics


class ConnectionLimit:
    """Limit of open streams and exports."""

    def __init__(self, most: int, metrics: GatewayMetrics) -> None:
        self._free = most
        self._metrics = metrics

    @contextmanager
    def acquire(self, route: str) -> Iterator[None]:
        """Hold one while the context lasts. Raises HTTPException 503 if none is free."""
        if not self._free:
            raise HTTPException(503, "too many clients; retry later", {"Retry-After": "5"})
        self._free -= 1
        gauge = self._metrics.streams.labels(route)
        gauge.inc()
        try:
            yield
        finally:
            self._free += 1
            gauge.dec()


@dataclass(frozen=True)
class Services:
    """Everything that handlers use. `pictures` is None if pictures are disabled."""

    client: Client
    monitor: CameraMonitor
    hub: Hub
    history: History
    trends: Trends
    pictures: FrameCache | None
    blurred: bool
    stream_limit: ConnectionLimit
    metrics: GatewayMetrics


def services_of(request: Request) -> Services:
    """Return the application's services."""
    found: Services = request.app.state.services
    return found


async def require_camera(request: Request) -> str:
    """Return the name of the camera in the path.

    Raises HTTPException 404 if there is no such camera, nor any event, episode or minute of it.
    """
    name: str = request.path_params["name"]
    services = services_of(request)
    if name in services.monitor.statuses():
        return name
    try:
        keys.check_camera(name)
    except ValueError:
        pass
    else:
        for key in (keys.emotions(name), keys.episodes(name), keys.minutes(name)):
            if await services.client.xrevrange(key, count=1):
                return name
    raise HTTPException(404, f"unknown camera {name[:80]!r}; see /api/cameras")
