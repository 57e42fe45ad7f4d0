"""Listening sockets for IPv4 and IPv6."""

import socket
from typing import Final

_EVERY_ADDRESS: Final = "::"


def listen(host: str, port: int) -> socket.socket:
    """Listen on a TCP port of an address or a host name; port 0 selects a free one.

    `::` means every address, IPv4 and IPv6, or only IPv4 on a machine without IPv6. Images listen
    there, because a cluster may have either. Raises OSError, whose text names the address.
    """
    host = host.removeprefix("[").removesuffix("]")
    try:
        if host == _EVERY_ADDRESS:
            return _listen_everywhere(port)
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise OSError(
            f"cannot listen on {address_of(host, port)}: {error.strerror or error}"
        ) from error


def address_of(host: str, port: int) -> str:
    """Return `host:port` as in a URL: an IPv6 address is in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listen_everywhere(port: int) -> socket.socket:
    if has_ipv6():
        return socket.create_server(
            (_EVERY_ADDRESS, port), family=socket.AF_INET6, dualstack_ipv6=True
        )
    return socket.create_server(("0.0.0.0", port))  # noqa: S104 - as requested


def has_ipv6() -> bool:
    """Return whether the kernel has IPv6. socket.has_ipv6 only says how Python was built."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind((_EVERY_ADDRESS, 0))
    except OSError:
        return False
    return True
