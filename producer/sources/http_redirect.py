"""Find out whether an HTTP camera redirects: FFmpeg does not report it."""

from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import SplitResult

from emotion_streams.redaction import redact_url

_REDIRECTS: Final = range(300, 400)
_LONGEST: Final = 200


def why_nothing(url: SplitResult, timeout_s: float) -> str | None:
    """Return the reason if the camera redirects, else None.

    Asks the camera once, without user and password, and does not follow.
    """
    kind = HTTPSConnection if url.scheme.lower() == "https" else HTTPConnection
    with suppress(OSError, HTTPException, ValueError):
        connection = kind(url.hostname or "", url.port, timeout=timeout_s)
        try:
            query = f"?{url.query}" if url.query else ""
            connection.request("GET", (url.path or "/") + query)
            answer = connection.getresponse()
            if answer.status in _REDIRECTS and (to := answer.getheader("Location")):
                target = redact_url(to[:_LONGEST])
                return (
                    f"redirects to {target}; redirects are not followed: use that URL as the source"
                )
        finally:
            connection.close()
    return None
