"""The application: routes behind the access middleware."""

from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from gateway.access import Access
from gateway.api import API
from gateway.errors import HANDLERS
from gateway.middleware import OPEN_PATH, AccessMiddleware
from gateway.openapi import describe
from gateway.routes import page
from gateway.routes.sign_in import SIGN_IN, SIGN_OUT, sign_in, sign_out
from gateway.services import Services
from gateway.settings import GatewaySettings, is_loopback


def build(settings: GatewaySettings, services: Services) -> Starlette:
    """Return the application over these services."""
    access = None if settings.token is None else Access(settings.token)
    middleware = Middleware(
        AccessMiddleware,
        access=access,
        hosts=_hosts(settings),
        proxies=settings.trusted_proxies or (),
        max_rate=settings.max_rate,
        metrics=services.metrics,
    )
    app = Starlette(
        routes=[
            Route("/", page.page),
            Route(OPEN_PATH, page.healthz),
            *(Route(endpoint.path, endpoint.handler) for endpoint in API),
            *([] if access is None else _SESSIONS),
            Mount("/static", _Static(directory=page.STATIC)),
        ],
        middleware=[middleware],
        exception_handlers=HANDLERS,
    )
    app.state.services = services
    app.state.access = access
    app.state.description = describe(API, with_token=settings.token is not None)
    return app


_SESSIONS: Final = (
    Route(SIGN_IN, sign_in, methods=["GET", "POST"]),
    Route(SIGN_OUT, sign_out, methods=["POST"]),
)


class _Static(StaticFiles):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["endpoint"] = page.page  # for the metrics: a part of the page
        await super().__call__(scope, receive, send)


def _hosts(settings: GatewaySettings) -> frozenset[str] | None:
    """Return the accepted host names; any name is accepted if a token is required."""
    if settings.token is not None or not is_loopback(settings.host):
        return None
    return frozenset({"localhost", "127.0.0.1", "::1", settings.host})
