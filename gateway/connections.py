"""Limits of connections: how many may be idle, and which are closed first."""

import asyncio
import errno
import ipaddress
import logging
import resource
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Any, Final, Protocol, TypeAlias

from service.settings_file import InvalidSettingsError

BACKLOG: Final = 100
"""Connections accepted at once, before any of them can be closed again."""

_OTHER_FILES: Final = 300
"""Redis (a connection for each camera that is looked at), probes, logs and libraries."""
_LOG_EVERY_S: Final = 60.0

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

log = logging.getLogger(__name__)


class Connection(Protocol):
    """A connection, as IdleConnections uses it."""

    def is_flushed(self) -> bool:
        """Return whether nothing is left to be sent."""

    def drop(self) -> None:
        """Close at once."""


class IdleConnections:
    """Connections that wait for a request, oldest first.

    The server may close them at any time, and does if there are too many. A client without a token
    has only idle connections, so it cannot use up the connections of others.
    """

    def __init__(self) -> None:
        self._by_address: dict[str, OrderedDict[Connection, None]] = {}
        self._addresses: dict[Connection, str] = {}

    def add(self, connection: Connection, address: str) -> None:
        """Count the connection as idle, if it is not counted yet."""
        if connection not in self._addresses:
            self._addresses[connection] = key = bucket(address)
            self._by_address.setdefault(key, OrderedDict())[connection] = None

    def remove(self, connection: Connection) -> None:
        """Remove a connection that is closed or has a request."""
        key = self._addresses.pop(connection, None)
        if key is not None:
            del self._by_address[key][connection]
            if not self._by_address[key]:
                del self._by_address[key]

    def drop_one(self) -> None:
        """Close the oldest connection of the address that has the most of them."""
        if not self._by_address:
            return
        connections = max(self._by_address.values(), key=len)
        # One with unsent data is closed only if all have unsent data.
        oldest = next(iter(connections))
        chosen = next((each for each in connections if each.is_flushed()), oldest)
        self.remove(chosen)
        chosen.drop()


def bucket(address: str) -> str:
    """Return the key of per-address limits: the address, or the /64 network of an IPv6 address.

    One client usually has all of such a network.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def is_within(address: str, networks: Collection[Network]) -> bool:
    """Return whether the address is in one of the networks; other text is in none."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in networks)


def max_connections(max_clients: int) -> int:
    """Return how many connections are held at once: streams, and as many again for requests."""
    return 2 * max_clients + 100


def reserve_files(max_clients: int) -> None:
    """Raise this process' limit of open files to what `max_clients` take.

    Raises InvalidSettingsError if the system does not allow it.
    """
    needed = max_connections(max_clients) + 2 * BACKLOG + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise InvalidSettingsError(
                f"max_clients: {max_clients} clients need {needed} open files, the limit is "
                f"{hard}: raise it (ulimit -Hn) or lower max_clients"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def limit_accept_errors(loop: asyncio.AbstractEventLoop) -> None:
    """Log at most once a minute that file descriptors are used up.

    asyncio reports each of the connections that wait.
    """
    loop.set_exception_handler(_AcceptErrors(loop.time))


class _AcceptErrors:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._logged_at = float("-inf")

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        failure = context.get("exception")
        if not isinstance(failure, OSError) or failure.errno not in (errno.EMFILE, errno.ENFILE):
            loop.default_exception_handler(context)
        elif self._clock() - self._logged_at >= _LOG_EVERY_S:
            self._logged_at = self._clock()
            log.error("cannot accept connections, retrying", extra={"why": str(failure)})
