"""The reasons why an HTTP request of ours failed, in the words of the other sources."""

import socket
import ssl
from http import HTTPStatus
from typing import Final

from emotion_streams.redaction import redact_url

_LONGEST: Final = 200
_REASONS: Final = {
    HTTPStatus.UNAUTHORIZED: "401: user or password is missing or wrong",
    HTTPStatus.FORBIDDEN: "403: access denied for this user",
    HTTPStatus.NOT_FOUND: "404: no such picture",
}


class PictureUnavailableError(Exception):
    """The server sends no picture. The text gives the reason, without credentials and URL."""


class NotAPictureError(PictureUnavailableError):
    """The server sends something else than a picture, or redirects to another server."""


class StreamFoundError(NotAPictureError):
    """The server sends a stream, or data without a type."""


def redirected_to(target: str) -> NotAPictureError:
    """Return the error of a redirect that is not followed."""
    return NotAPictureError(
        "redirects are not followed: use the URL to which it redirects as the source, "
        f"{redact_url(target[:_LONGEST])}"
    )


def of_status(status: int) -> str:
    """Return what this status of an answer means."""
    try:
        known = HTTPStatus(status)
    except ValueError:
        return f"the server answered {status}"
    return _REASONS.get(known) or f"the server answered {status} {known.phrase}"


def of_error(error: BaseException, host: str) -> str:
    """Return the reason of a failed request, by the first error in its chain."""
    cause = error
    while (earlier := cause.__cause__ or cause.__context__) is not None:
        cause = earlier
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"certificate not trusted ({cause.verify_message}): "
            "install its authority, or set tls_verify: false"
        )
    if isinstance(cause, socket.gaierror):
        return f"the name {host} cannot be resolved"
    if isinstance(cause, ConnectionRefusedError):
        return "connection refused"
    return " ".join(str(error).split())[:_LONGEST] or type(error).__name__
