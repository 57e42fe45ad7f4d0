"""Cameras that answered, as lines of a file of cameras. Their texts are of strangers."""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote, urlsplit

from producer.discovery.probe_match import Device

GUESS: Final = "/stream1"
"""Path of a stream that its camera does not name without a password. There is no standard one."""

_MAX_NAME: Final = 40
_MAX_TITLE: Final = 80
_MAX_PATH: Final = 300
_RTSP_PORT: Final = 554
_OTHERS: Final = re.compile(r"[^a-z0-9]+")


def name_cameras(devices: Iterable[Device]) -> dict[str, Device]:
    """Give each camera a unique name that can be part of a key, made of its own name or model."""
    named: dict[str, Device] = {}
    for device in devices:
        base = _slug(device.name) or _slug(device.hardware) or "camera"
        name, number = base, 1
        while name in named:
            number += 1
            name = f"{base}-{number}"
        named[name] = device
    return named


def secrets(name: str) -> tuple[str, str]:
    """Return the names of the variables with a camera's user and password."""
    stem = name.upper().replace("-", "_")
    # The name of a variable starts with a letter.
    stem = stem if stem[0].isalpha() else f"CAMERA_{stem}"
    return f"{stem}_USER", f"{stem}_PASSWORD"


def to_yaml(cameras: Mapping[str, Device], streams: Mapping[str, str | None]) -> str:
    """Return the section `cameras`. `streams`: the URL of each camera's stream, None if unknown."""
    lines = ["cameras:"]
    for name, device in cameras.items():
        path = stream_path(streams.get(name))
        model = visible(" ".join(filter(None, (device.hardware, device.location))))
        about = ", ".join(filter(None, (model, device.service or device.host)))
        lines.append(f"  # {about}")
        if path is None:
            lines.append(f"  # {GUESS} is a guess: the path is in the camera's manual.")
        user, password = secrets(name)
        host = f"{device.host}{path or GUESS}"
        lines.append(f"  {name}:")
        lines.append(f"    source: rtsp://${{{user}}}:${{{password}}}@{host}")
        # Otherwise the producer would replace it by a variable of its environment.
        if title := visible(device.name).replace("${", "$ {"):
            lines.append(f"    title: {json.dumps(title, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


def stream_path(url: str | None) -> str | None:
    """Return port, path and query of a stream's URL, encoded. None if it is not one of RTSP.

    The host is not used: the camera may name an address that cannot be reached from here. `$` and
    `@` are encoded, so that a stranger names no variable of the environment and no other host.
    """
    if not url or len(url) > _MAX_PATH:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme.lower() not in ("rtsp", "rtsps"):
        return None
    path = quote(parts.path or "/", safe="/%:=,;+!*()-._~")
    query = quote(parts.query, safe="/%:=,;+!*()-._~&")
    shown_port = f":{port}" if port not in (None, _RTSP_PORT) else ""
    return f"{shown_port}{path}{'?' if query else ''}{query}"


def visible(text: str) -> str:
    """Return a stranger's text without characters that control a terminal, and shortened."""
    return "".join(one if one.isprintable() else "?" for one in text)[:_MAX_TITLE].strip()


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return _OTHERS.sub("-", plain)[:_MAX_NAME].strip("-")
