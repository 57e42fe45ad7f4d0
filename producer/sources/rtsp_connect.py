"""Connections to RTSP cameras, and the reasons why there is none."""

import errno
import socket
from typing import Final
from urllib.parse import SplitResult

from producer.sources import tls

_PORTS: Final = {"rtsp": 554, "rtsps": 322}
_UNREACHABLE: Final = (errno.EHOSTUNREACH, errno.ENETUNREACH)


class RefusedError(Exception):
    """The camera cannot be used. The text is the reason."""


def connect(url: SplitResult, timeout_s: float, *, tls_verify: bool) -> socket.socket:
    """Connect to the host in the URL, with TLS if it is rtsps. Raises RefusedError."""
    scheme, host = url.scheme.lower(), url.hostname or ""
    try:
        plain = socket.create_connection((host, url.port or _PORTS[scheme]), timeout_s)
        if scheme == "rtsp":
            return plain
        try:
            return tls.secure(plain, host, verify=tls_verify)
        except BaseException:
            plain.close()
            raise
    except tls.UntrustedCertificateError as error:
        raise RefusedError(str(error)) from None
    except OSError as error:
        raise RefusedError(_reason(error, host)) from None


def _reason(error: OSError, host: str) -> str:
    if isinstance(error, socket.gaierror):
        return f"the name {host} cannot be resolved"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, TimeoutError):
        return "timed out: no response to the connection"
    if error.errno in _UNREACHABLE:
        return "the host cannot be reached"
    return error.strerror or type(error).__name__
