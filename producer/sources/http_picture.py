"""The picture at an http(s):// URL, fetched again and again over one connection."""

import logging
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx

from producer.sources import http_reasons, http_response
from producer.sources.http_auth import ChallengedAuth, UnsupportedAuthError
from producer.sources.http_reasons import (
    NotAPictureError,
    PictureUnavailableError,
    redirected_to,
)

_MAX_REDIRECTS: Final = 3
_SHORTEST_S: Final = 0.1

# They log URLs with passwords in the query, and headers with passwords.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class PictureClient:
    """Fetches one picture, if it changed since it was last fetched.

    `url` may have user and password; they are sent only if the server asks for them. `context`
    checks the certificate of an https server. `proxy`: URL of a proxy, None for none. Redirects are
    followed only within the same scheme, host and port.

    The constructor raises NotAPictureError for an invalid URL.
    """

    def __init__(self, url: str, context: ssl.SSLContext, proxy: str | None) -> None:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        self._auth = (
            ChallengedAuth(unquote(parts.username or ""), unquote(parts.password or ""))
            if "@" in parts.netloc
            else httpx.Auth()
        )
        try:
            self._url = httpx.URL(urlunsplit(parts._replace(netloc=host, fragment="")))
            self._client = httpx.Client(
                verify=context,
                headers={"Accept": "image/jpeg, image/png", "Accept-Encoding": "identity"},
                proxy=proxy,
                trust_env=False,  # the proxy is given, and .netrc is not read
            )
        except (httpx.InvalidURL, ValueError):
            raise NotAPictureError("the URL, or the URL of the proxy, is not valid") from None
        self._validators: dict[str, str] = {}
        self._last = b""

    def fetch(self, limit_s: float) -> bytes | None:
        """Return the picture, or None if it is the one that was last returned.

        Raises PictureUnavailableError.
        """
        deadline = time.monotonic() + limit_s
        try:
            with self._response(deadline) as response:
                if response.status_code == HTTPStatus.NOT_MODIFIED and self._last:
                    return None
                http_response.check(response, self._url)
                picture = http_response.read(response, deadline)
                self._validators = http_response.validators(response.headers)
        except UnsupportedAuthError as error:
            raise PictureUnavailableError(
                f"401: the camera requires {error}, which is not supported"
            ) from None
        except httpx.TimeoutException:
            raise PictureUnavailableError("timed out: no data within the time limit") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            raise PictureUnavailableError(http_reasons.of_error(error, self._url.host)) from None
        if picture == self._last:
            return None
        self._last = picture
        return picture

    def close(self) -> None:
        """Disconnect."""
        self._client.close()

    @contextmanager
    def _response(self, deadline: float) -> Iterator[httpx.Response]:
        """Send the request, and follow redirects. The body of the response is not read yet."""
        url = self._url
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._authenticated(url, deadline)
            with closing(response):
                if not response.has_redirect_location:
                    yield response
                    return
                http_response.discard(response, deadline)
            url = _same_server(url, response.headers["location"])
        raise NotAPictureError(f"redirects more than {_MAX_REDIRECTS} times")

    def _authenticated(self, url: httpx.URL, deadline: float) -> httpx.Response:
        # Not by httpx itself, which reads the bodies of challenges without a limit.
        flow = self._auth.sync_auth_flow(httpx.Request("GET", url))
        request = next(flow)
        while True:
            response = self._send(request, deadline)
            try:
                request = flow.send(response)
            except StopIteration:
                return response
            except BaseException:
                response.close()
                raise
            with closing(response):
                http_response.discard(response, deadline)

    def _send(self, request: httpx.Request, deadline: float) -> httpx.Response:
        for is_last in (False, True):
            own = self._client.build_request(
                request.method,
                request.url,
                headers={**request.headers, **self._validators},
                timeout=max(_SHORTEST_S, deadline - time.monotonic()),
            )
            try:
                return self._client.send(own, stream=True)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                # The server may have closed an idle connection just now: try a new one.
                if is_last:
                    raise
        raise AssertionError


def _same_server(url: httpx.URL, target: str) -> httpx.URL:
    """Return the URL to which a redirect leads. Raises NotAPictureError for another server."""
    try:
        joined = url.join(target)
    except (httpx.InvalidURL, ValueError):
        joined = None
    if joined is None or (joined.scheme, joined.netloc) != (url.scheme, url.netloc):
        raise redirected_to(target)
    return joined
