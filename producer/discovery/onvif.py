"""Ask an ONVIF camera for the URL of its stream, without user and password.

Few cameras answer: by ONVIF's access policy only capabilities are public. It costs one to three
short requests, and saves the user a look into the manual where it works.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

import httpx

from producer.discovery.probe_match import Device
from producer.discovery.xml import MAX_BYTES, UnreadableXmlError, parse, texts

_ENVELOPE: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:d="http://www.onvif.org/ver10/device/wsdl"'
    ' xmlns:m="http://www.onvif.org/ver10/media/wsdl"'
    ' xmlns:s="http://www.onvif.org/ver10/schema"><e:Body>{}</e:Body></e:Envelope>'
)
_CAPABILITIES: Final = "<d:GetCapabilities><d:Category>Media</d:Category></d:GetCapabilities>"
_PROFILES: Final = "<m:GetProfiles/>"
_STREAM: Final = (
    "<m:GetStreamUri><m:StreamSetup><s:Stream>RTP-Unicast</s:Stream>"
    "<s:Transport><s:Protocol>RTSP</s:Protocol></s:Transport></m:StreamSetup>"
    "<m:ProfileToken>{}</m:ProfileToken></m:GetStreamUri>"
)
_TYPE: Final = "application/soap+xml; charset=utf-8"
_MAX_TOKEN: Final = 64
_OK: Final = 200
_ONE_S: Final = 3.0
_AT_ONCE: Final = 16


def find_streams(cameras: Mapping[str, Device], timeout_s: float) -> dict[str, str | None]:
    """Return the URL of each camera's stream, None for those that do not name it in time."""
    deadline = time.monotonic() + timeout_s
    found: dict[str, str | None] = dict.fromkeys(cameras)
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for name in cameras:
        waiting.put(name)

    def ask() -> None:
        with contextlib.suppress(queue.Empty):
            while (left_s := deadline - time.monotonic()) > 0:
                name = waiting.get_nowait()
                found[name] = find_stream(cameras[name], min(left_s, _ONE_S))

    # Daemons: a camera that sends a byte now and then must not keep this process.
    threads = [threading.Thread(target=ask, daemon=True) for _ in range(_AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(found)


def find_stream(device: Device, timeout_s: float) -> str | None:
    """Return the URL of the first profile's stream, None if the camera does not name it so.

    Nothing is sent to another host than the camera's own, and no redirect is followed.
    """
    if not device.service:
        return None
    deadline = time.monotonic() + timeout_s
    try:
        with httpx.Client(trust_env=False, verify=False) as client:  # noqa: S501 - it gets no secret
            return _ask(client, device, deadline)
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnreadableXmlError, OSError):
        return None


def _ask(client: httpx.Client, device: Device, deadline: float) -> str | None:
    capabilities = _call(client, device.service, _CAPABILITIES, deadline)
    services = (url for media in capabilities.iter("Media") for url in texts(media, "XAddr"))
    media = next((url for url in services if _is_at(url, device.host)), None)
    if media is None:
        return None
    profiles = _call(client, media, _PROFILES, deadline)
    tokens = (profile.get("token", "") for profile in profiles.iter("Profiles"))
    token = next((token for token in tokens if _is_token(token)), None)
    if token is None:
        return None
    answer = _call(client, media, _STREAM.format(token), deadline)
    return next(iter(texts(answer, "Uri")), None)


def _call(client: httpx.Client, url: str, body: str, deadline: float) -> Element:
    """Send a request, and return the answer. Raises UnreadableXmlError and httpx.HTTPError."""
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise UnreadableXmlError("out of time")
    content = bytearray()
    with client.stream(
        "POST",
        url,
        content=_ENVELOPE.format(body),
        headers={"Content-Type": _TYPE, "Accept-Encoding": "identity"},
        timeout=left_s,
    ) as response:
        if response.status_code != _OK:
            raise UnreadableXmlError(f"status {response.status_code}")
        for chunk in _within(response.iter_raw(), deadline):
            content += chunk
            if len(content) > MAX_BYTES:
                break
    return parse(bytes(content))


def _within(chunks: Iterator[bytes], deadline: float) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        if time.monotonic() > deadline:
            raise UnreadableXmlError("out of time")


def _is_at(url: str, host: str) -> bool:
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and parts.hostname == host
    return False


def _is_token(token: str) -> bool:
    """Whether a token can be sent back as it is, inside XML."""
    safe = token.isascii() and token.isprintable() and not set(token) & set("<>&{}")
    return safe and 0 < len(token) <= _MAX_TOKEN
