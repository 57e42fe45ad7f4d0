"""What the handlers work with, and how they ask for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request

from emotion_streams import keys
from emotion_streams.connection import Client
from gateway.board import Board
from gateway.history import History
from gateway.hub import Hub
from gateway.pictures import Pictures
from service.metrics import GatewayMetrics


class Slots:
    """How many streams and exports may be open at once."""

    def __init__(self, most: int, metrics: GatewayMetrics) -> None:
        self._free = most
        self._metrics = metrics

    @contextmanager
    def take(self, route: str) -> Iterator[None]:
        """One for as long as the context lasts. HTTPException 503 where none is free."""
        if not self._free:
            raise HTTPException(503, "too many clients; try again later", {"Retry-After": "5"})
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
    """Everything behind the routes. `pictures` is None where none may leave."""

    client: Client
    board: Board
    hub: Hub
    history: History
    pictures: Pictures | None
    blurred: bool
    slots: Slots
    metrics: GatewayMetrics


def services(request: Request) -> Services:
    """The application's."""
    found: Services = request.app.state.services
    return found


async def known_camera(request: Request) -> str:
    """The camera that the path names. HTTPException 404 where there is none, and never was one
    whose events are still kept."""
    name: str = request.path_params["name"]
    has = services(request)
    if name in has.board.statuses():
        return name
    try:
        if await has.client.xrevrange(keys.emotions(keys.check_camera(name)), count=1):
            return name
    except ValueError:
        pass
    raise HTTPException(404, f"no camera {name[:80]!r}; /api/cameras lists them")
