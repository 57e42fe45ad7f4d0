"""Find out why an RTSP camera refuses a user; FFmpeg only reports 401."""

import re
import socket
from contextlib import suppress
from typing import Final
from urllib.parse import SplitResult

_CHALLENGE: Final = re.compile(rb"(?im)^WWW-Authenticate:\s*(\w+)(.*)$")
_ALGORITHM: Final = re.compile(rb'(?i)algorithm\s*=\s*"?([\w-]+)')
_UNDERSTOOD: Final = frozenset({"MD5", "MD5-SESS"})
_PORT: Final = 554
_ENOUGH: Final = 1 << 16


def why_refused(url: SplitResult, timeout_s: float) -> str | None:
    """Return the reason if FFmpeg does not support the camera's authentication, else None.

    Sends one DESCRIBE request (RFC 2326) to the camera, without user and password. Supports
    rtsp:// only, and returns None for any other scheme.
    """
    if url.scheme.lower() != "rtsp" or url.hostname is None:
        return None
    path = f"rtsp://{url.hostname}:{url.port or _PORT}{url.path}"
    request = f"DESCRIBE {path} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"
    answer = b""
    with (
        suppress(OSError),
        socket.create_connection((url.hostname, url.port or _PORT), timeout_s) as connection,
    ):
        connection.sendall(request.encode())
        while b"\r\n\r\n" not in answer and len(answer) < _ENOUGH:
            part = connection.recv(4096)
            if not part:
                break
            answer += part
    asked = []
    for scheme, rest in _CHALLENGE.findall(answer):
        named = _ALGORITHM.search(rest)
        algorithm = named[1].decode() if named else "MD5"
        if scheme.lower() != b"digest" or algorithm.upper() in _UNDERSTOOD:
            return None
        asked.append(algorithm)
    if not asked:
        return None
    return (
        f"401: the camera requires Digest {' or '.join(asked)}, which FFmpeg does not support; "
        "let the camera allow Digest MD5 or Basic"
    )
