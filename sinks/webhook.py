"""The sink `webhook`: a POST per record, in order per camera, with retries and signatures.

The answer decides: 2xx confirms. A code that is about the record (400, 409, 413, 415, 422 and other
4xx) refuses it: it becomes a dead letter. Codes that are about the receiver (401, 403, 404, 405,
407, 410, all 3xx) and those that pass (408, 425, 429, 5xx) are tried again, with Retry-After where
it is given: an expired token or a switched-off workflow loses no record.

The URL comes from the operator's settings and never from a record. Redirects are followed only to
the same scheme, host and port: a receiver cannot direct requests, which may carry credentials, to
addresses within the network. Environment variables for proxies are not read.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

import emotion_streams
from sinks import cloudevents
from sinks.options import WebhookOptions
from sinks.records import Record
from sinks.sink import Refuse, TargetError
from sinks.states import CameraSnapshot

_MAX_REDIRECTS: Final = 3
_REDIRECTS: Final = (307, 308)
"""Those after which the same request is sent."""
_TRY_AGAIN: Final = frozenset({401, 403, 404, 405, 407, 408, 410, 425, 429})
_MAX_ANSWER: Final = 200
"""Bytes of an answer that are read, for the reason."""


class RecordRefusedError(Exception):
    """The receiver refuses this event; the text says why."""


class WebhookTarget:
    """A receiver of CloudEvents. See the Target for what the methods do."""

    def __init__(self, options: WebhookOptions) -> None:
        self._options = options
        self._url = httpx.URL(options.url)
        self._client: httpx.AsyncClient | None = None
        # Kept over connections: a state is sent when it changes, not when the receiver is back.
        self._shown: dict[str, tuple[str, str]] = {}

    async def open(self) -> None:
        """Make a client; it connects with the first request."""
        options = self._options
        try:
            context = ssl.create_default_context(cafile=options.ca_file)
        except OSError as error:
            raise TargetError(f"ca_file: {error}") from None
        headers = httpx.Headers({"content-type": cloudevents.CONTENT_TYPE})
        headers["user-agent"] = f"emotion-streams/{emotion_streams.__version__}"
        headers.update(options.headers)
        self._client = httpx.AsyncClient(
            verify=context,
            timeout=options.timeout_s,
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=options.parallel),
            headers=headers,
        )

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def send(
        self, records: Sequence[Record], confirm: Callable[[Record], None], refuse: Refuse
    ) -> None:
        """Send each camera's records one after the other, several cameras at once."""
        by_camera: dict[str, list[Record]] = {}
        for record in records:
            by_camera.setdefault(record.camera, []).append(record)
        slots = asyncio.Semaphore(self._options.parallel)
        failures: list[TargetError] = []

        async def send_all(records: list[Record]) -> None:
            async with slots:
                for record in records:
                    if any(failure.concerns_all for failure in failures):
                        return
                    try:
                        await self._post(cloudevents.of_record(record))
                    except RecordRefusedError as error:
                        await refuse(record, str(error))
                    except TargetError as error:
                        failures.append(error)
                        return
                    confirm(record)

        async with asyncio.TaskGroup() as group:
            for of_camera in by_camera.values():
                group.create_task(send_all(of_camera))
        if failures:
            raise failures[0]

    async def show(self, cameras: Mapping[str, CameraSnapshot]) -> None:
        """Send each camera's state that has changed; its figures do not count."""
        for camera, state in cameras.items():
            shown = (state.state, state.error)
            if self._shown.get(camera) == shown:
                continue
            with suppress(RecordRefusedError):  # the next change may be accepted
                await self._post(cloudevents.of_state(state, round(time.time() * 1000)))
            self._shown[camera] = shown
        for camera in self._shown.keys() - cameras.keys():
            del self._shown[camera]

    async def _post(self, event: Mapping[str, Any]) -> None:
        """Send an event. Raises RecordRefusedError and TargetError."""
        body = cloudevents.to_body(event)
        url = self._url
        for _ in range(_MAX_REDIRECTS + 1):
            status, headers, text = await self._request(url, event["id"], body)
            if 200 <= status < 300:
                return
            if status not in _REDIRECTS:
                break
            url = self._redirected(url, headers)
        reason = f"HTTP {status}{f': {text}' if text else ''}"
        if 400 <= status < 500 and status not in _TRY_AGAIN:
            raise RecordRefusedError(reason)
        # An internal error may come of one record, which must not stop the other cameras.
        raise TargetError(reason, retry_after(headers), concerns_all=status != 500)

    async def _request(
        self, url: httpx.URL, event_id: str, body: bytes
    ) -> tuple[int, httpx.Headers, str]:
        """Send one request; return status, headers and the beginning of the answer's text."""
        client, secret = self._client, self._options.secret
        if client is None:
            raise TargetError("not open")
        signed = cloudevents.sign(secret, event_id, int(time.time()), body) if secret else {}
        text = b""
        try:
            # The client's own limits are for each read; an answer may come byte by byte.
            async with (
                asyncio.timeout(self._options.timeout_s),
                client.stream("POST", url, content=body, headers=signed) as response,
            ):
                async for chunk in response.aiter_raw():
                    text += chunk
                    if len(text) >= _MAX_ANSWER:
                        break
        except TimeoutError:
            raise TargetError(f"no answer within {self._options.timeout_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            raise TargetError(f"{type(error).__name__}: {error}") from None
        shown = text[:_MAX_ANSWER].decode(errors="replace")
        return response.status_code, response.headers, " ".join(shown.split())

    def _redirected(self, url: httpx.URL, headers: httpx.Headers) -> httpx.URL:
        try:
            to = url.join(headers.get("location", ""))
        except httpx.InvalidURL:
            raise TargetError("the redirect has no valid URL") from None
        if (to.scheme, to.host, to.port) != (url.scheme, url.host, url.port):
            raise TargetError(f"redirects to another host are not followed ({to.host or 'none'})")
        return to


def retry_after(headers: httpx.Headers, now_s: float | None = None) -> float | None:
    """Return the seconds that Retry-After asks for; None without a valid one."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, moment - (time.time() if now_s is None else now_s))
