"""Connections on which no request is being answered: how many there may be, and which give way."""

import asyncio
import errno
import ipaddress
import logging
import resource
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Any, Final, Protocol, TypeAlias

from service.settings_file import InvalidSettings

MAX_PER_ADDRESS: Final = 32
"""Idle connections of one address. A browser keeps six at most."""

BACKLOG: Final = 100
"""Connections accepted in one go, before any of them can be closed again."""

_OTHER_FILES: Final = 300
"""Redis (a connection for each camera that is looked at), probes, logs and libraries."""
_SAY_EVERY_S: Final = 60.0

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

log = logging.getLogger(__name__)


class Connection(Protocol):
    """As the table below sees one."""

    def is_flushed(self) -> bool:
        """Whether nothing is left to be sent."""

    def drop(self) -> None:
        """Close at once."""


class IdleConnections:
    """Connections that wait for a request, oldest first.

    A server may close them at any time, so the oldest give way to new ones. A client without a
    token can hold no other kind of connection: however many it opens, others get theirs.
    Connections from `proxies`, which carry the requests of many, are not limited per address.
    """

    def __init__(self, proxies: Collection[Network] = ()) -> None:
        self._proxies = proxies
        self._by_address: dict[str, OrderedDict[Connection, None]] = {}
        self._all: OrderedDict[Connection, str] = OrderedDict()

    def add(self, connection: Connection, address: str) -> None:
        """Count the connection as idle; one too many for its address closes the oldest of them."""
        if connection in self._all:
            return
        key = bucket(address)
        siblings = self._by_address.setdefault(key, OrderedDict())
        siblings[connection] = None
        self._all[connection] = key
        if len(siblings) > MAX_PER_ADDRESS and not is_within(address, self._proxies):
            self._drop_one(siblings)

    def remove(self, connection: Connection) -> None:
        """The connection is closed, or a request is being answered on it."""
        key = self._all.pop(connection, None)
        if key is not None:
            siblings = self._by_address[key]
            del siblings[connection]
            if not siblings:
                del self._by_address[key]

    def drop_oldest(self) -> None:
        """Close the oldest, of whatever address."""
        self._drop_one(self._all)

    def _drop_one(self, connections: Collection[Connection]) -> None:
        # One with an answer still to be sent goes only if all are such.
        oldest = next((each for each in connections if each.is_flushed()), None)
        oldest = oldest or next(iter(connections), None)
        if oldest is not None:
            self.remove(oldest)
            oldest.drop()


def bucket(address: str) -> str:
    """What limits per address are kept by: of IPv6 the /64 network, all of which one client has."""
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
    """Whether the address is in one of the networks; what is not an address is in none."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in networks)


def max_connections(max_clients: int) -> int:
    """Connections held at once: streams, and as many again for what is short."""
    return 2 * max_clients + 100


def reserve_files(max_clients: int) -> None:
    """Raise this process' limit of open files to what `max_clients` take. InvalidSettings if the
    system does not allow it."""
    needed = max_connections(max_clients) + 2 * BACKLOG + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise InvalidSettings(
                f"max_clients: {max_clients} take {needed} open files, and the system allows "
                f"{hard}; raise that (`ulimit -Hn`) or take fewer clients"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def limit_accept_errors(loop: asyncio.AbstractEventLoop) -> None:
    """Log at most once a minute that no connection can be accepted for lack of file descriptors:
    asyncio reports each of the connections that wait."""
    loop.set_exception_handler(_AcceptErrors(loop.time))


class _AcceptErrors:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._said_at = float("-inf")

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        failure = context.get("exception")
        if not isinstance(failure, OSError) or failure.errno not in (errno.EMFILE, errno.ENFILE):
            loop.default_exception_handler(context)
        elif self._clock() - self._said_at >= _SAY_EVERY_S:
            self._said_at = self._clock()
            log.error("no connection can be accepted, trying again", extra={"why": str(failure)})
