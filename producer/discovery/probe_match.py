"""Messages of WS-Discovery (OASIS, 2005/04): the Probe, and the devices in its ProbeMatches."""

import re
import uuid
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit
from xml.etree.ElementTree import Element

from producer.discovery.xml import UnreadableXmlError, parse, texts

MAX_DEVICES: Final = 64
"""Devices of one message, or of one sender; a recorder may name each of its channels."""

_SCOPE: Final = "onvif://www.onvif.org/"
_CAMERA: Final = "NetworkVideoTransmitter"
_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}")
_LONGEST: Final = 200

_PROBE: Final = """<?xml version="1.0" encoding="UTF-8"?>
<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"
 xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"
 xmlns:n="http://www.onvif.org/ver10/network/wsdl">
<e:Header><a:MessageID>urn:uuid:{id}</a:MessageID>
<a:To e:mustUnderstand="true">urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>
<a:Action e:mustUnderstand="true">{action}</a:Action></e:Header>
<e:Body><d:Probe>{types}</d:Probe></e:Body></e:Envelope>"""
_ACTION: Final = "http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe"


@dataclass(frozen=True)
class Device:
    """An ONVIF camera that answered.

    `host`: its address. `service`: URL of its device service, empty if it named none at this
    address. `name`, `hardware`, `location`: from its scopes, as it wrote them; they may be empty,
    and may be of a stranger's choice.
    """

    host: str
    service: str = ""
    name: str = ""
    hardware: str = ""
    location: str = ""


def probes() -> tuple[bytes, bytes]:
    """Return a Probe for cameras, and one for all devices: some cameras answer only to that."""
    both = (f"<d:Types>n:{_CAMERA}</d:Types>", "")
    first, second = (
        _PROBE.format(id=uuid.uuid4(), action=_ACTION, types=types).encode() for types in both
    )
    return first, second


def parse_matches(content: bytes, sender: str) -> list[Device]:
    """Return the ONVIF cameras in a message from this address; other devices are left out.

    Raises UnreadableXmlError.
    """
    matches = list(parse(content).iter("ProbeMatch"))
    if len(matches) > MAX_DEVICES:
        raise UnreadableXmlError(f"it names {len(matches)} devices")
    found = [_device(match, sender) for match in matches if _is_camera(match)]
    return list(dict.fromkeys(found))


def _words(match: Element, name: str) -> list[str]:
    return " ".join(texts(match, name)).split()


def _is_camera(match: Element) -> bool:
    is_onvif = any(scope.startswith(_SCOPE) for scope in _words(match, "Scopes"))
    return is_onvif or any(kind.endswith(_CAMERA) for kind in _words(match, "Types"))


def _device(match: Element, sender: str) -> Device:
    services = [url for url in _words(match, "XAddrs") if _host(url)]
    # A camera with several addresses names them all; the one that answered can be reached.
    own = next((url for url in services if _host(url) == sender), "")
    host = sender if own or not services else _host(services[0])
    scopes = _words(match, "Scopes")
    return Device(
        host, own, _scope(scopes, "name"), _scope(scopes, "hardware"), _scope(scopes, "location")
    )


def _scope(scopes: list[str], kind: str) -> str:
    prefix = f"{_SCOPE}{kind}/"
    values = (scope.removeprefix(prefix) for scope in scopes if scope.startswith(prefix))
    return unquote(next(values, ""))[:_LONGEST].replace("_", " ").strip()


def _host(url: str) -> str:
    """Return the host of an http(s) URL, empty if it is not one that can be printed as it is."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return ""
    valid = len(url) <= _LONGEST and url.isascii() and url.isprintable()
    return host if valid and parts.scheme in ("http", "https") and _HOST.fullmatch(host) else ""
