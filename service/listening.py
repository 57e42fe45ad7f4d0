"""Listening sockets, for IPv4 and IPv6 alike."""

import socket
from typing import Final

_EVERY_ADDRESS: Final = "::"


def listen(host: str, port: int) -> socket.socket:
    """Listen on a TCP port of an address or a host name; port 0 takes a free one.

    `::` means every address, IPv4 and IPv6, and IPv4 alone on a machine without IPv6; images
    listen there, because a cluster may have either. Raises OSError, whose text names the address.
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
    """Return `host:port` as a URL has it: an IPv6 address goes in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listen_everywhere(port: int) -> socket.socket:
    if _has_ipv6():
        return socket.create_server(
            (_EVERY_ADDRESS, port), family=socket.AF_INET6, dualstack_ipv6=True
        )
    return socket.create_server(("0.0.0.0", port))  # noqa: S104 - as asked for


def _has_ipv6() -> bool:
    """Whether the kernel has IPv6: Python was built with it everywhere."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind((_EVERY_ADDRESS, 0))
    except OSError:
        return False
    return True
