"""Checks before every handler: access, rate, and the security headers for browsers."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.access import Access, has_session
from gateway.connections import Network, bucket, is_within
from gateway.errors import error
from gateway.routes.sign_in import SIGN_IN, sign_in_page
from service.metrics import GatewayMetrics

OPEN_PATH: Final = "/healthz"
"""Needs no token: it only reports whether the process is alive."""

_OF_SIGN_IN: Final = frozenset({"/static/style.css", "/static/icon.svg"})
"""What the page with the field for the token consists of."""

_FILES: Final = "/static/"
"""The page's files: so many that they would use up the rate of who opens a few pages at once."""

MAX_QUERY_BYTES: Final = 8192

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class RateLimiter:
    """A token bucket per address: `rate` a second, with bursts of twice that."""

    _MAX_ADDRESSES: Final = 10_000

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = max(1.0, 2 * rate)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Return 0 if the request may pass, else the seconds until one may."""
        now = self._clock()
        key = bucket(address)
        tokens, at = self._buckets.pop(key, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._rate)
        allowed = tokens >= 1
        self._buckets[key] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > self._MAX_ADDRESSES:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / self._rate


class AccessMiddleware:
    """ASGI middleware; also counts every response.

    `access`: who may read, None for everyone. `proxies`: networks whose X-Forwarded-For is trusted.
    `hosts`: accepted names in the Host header, None for any. Without a token, a page of another
    site could otherwise rebind its own name to the loopback and read everything.
    """

    def __init__(
        self,
        app: ASGIApp,
        access: Access | None,
        hosts: frozenset[str] | None,
        proxies: Collection[Network],
        max_rate: float,
        metrics: GatewayMetrics,
    ) -> None:
        self._app = app
        self._access = access
        self._hosts = hosts
        self._proxies = proxies
        self._limiter = RateLimiter(max_rate)
        # Separate, so that guesses do not use up the requests of others at the same address.
        self._failed_auth_limiter = RateLimiter(max_rate)
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on to the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
                self._metrics.requests.labels(route_of(scope), message["status"]).inc()
            await send(message)

        answer = None if scope["path"] == OPEN_PATH else self._refusal(scope)
        await (answer or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if self._hosts is not None and host_name(headers.get("host", "")) not in self._hosts:
            return error(
                HTTPStatus.MISDIRECTED_REQUEST,
                "unrecognised Host header: use localhost or this gateway's address",
            )
        access, path = self._access, scope["path"]
        authorization, cookie = headers.get("authorization"), headers.get("cookie")
        shows = authorization is not None or has_session(cookie) or path == SIGN_IN
        if access is not None and not shows and path not in _OF_SIGN_IN:
            return _unauthorized(scope, headers)  # as cheap as a refusal by the rate limit
        known = access is None or access.allows(authorization, cookie)
        limiter = self._limiter if known else self._failed_auth_limiter
        limited = not (known and path.startswith(_FILES))
        if limited and (wait_s := limiter.wait_s(client_address(scope, headers, self._proxies))):
            retry = {"Retry-After": str(int(wait_s) + 1)}
            return error(HTTPStatus.TOO_MANY_REQUESTS, "too many requests; retry later", retry)
        if not known and path != SIGN_IN and path not in _OF_SIGN_IN:
            return _unauthorized(scope, headers)
        if len(scope["query_string"]) > MAX_QUERY_BYTES:
            reason = f"query longer than {MAX_QUERY_BYTES} bytes"
            return error(HTTPStatus.REQUEST_URI_TOO_LONG, reason)
        return None


def _unauthorized(scope: Scope, headers: Headers) -> Response:
    if scope["path"] == "/" and "text/html" in headers.get("accept", ""):
        return sign_in_page()
    # Basic lets a browser ask for the token by itself; a script of the page asks for no prompt.
    of_script = headers.get("sec-fetch-mode", "navigate") != "navigate"
    ask = "Bearer" if of_script else 'Basic realm="emotion-streams", charset="UTF-8"'
    reason = (
        "authentication required: send the token as a bearer token, or as the password of any user"
    )
    return error(HTTPStatus.UNAUTHORIZED, reason, {"WWW-Authenticate": ask})


def client_address(scope: Scope, headers: Headers, proxies: Collection[Network]) -> str:
    """Return the client's address: the peer's or, behind trusted proxies, that in X-Forwarded-For.

    It is the last address there that is not a trusted proxy's; a client can write anything before
    it. If it is not an address, the proxy that wrote it counts as the client.
    """
    address: str = (scope.get("client") or ("unix",))[0]
    hops = ",".join(headers.getlist("x-forwarded-for")).split(",")
    while hops and is_within(address, proxies):
        if (hop := _forwarded_address(hops.pop())) is None:
            break
        address = hop
    return address


def _forwarded_address(hop: str) -> str | None:
    """Return the address in one item of X-Forwarded-For, None if it has none.

    Some proxies write a port after it, and each port must not have a rate of its own.
    """
    text = hop.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def host_name(host: str) -> str:
    """Return the name in a Host header without its port; empty if there is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def route_of(scope: Scope) -> str:
    """Return the name of the handler that answered; "none" if the middleware or no route did."""
    return getattr(scope.get("endpoint"), "__name__", "none")
