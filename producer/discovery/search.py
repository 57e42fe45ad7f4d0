"""Ask a network for devices: send Probes on every interface, and collect the answers."""

import contextlib
import fcntl
import selectors
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from producer.discovery.probe_match import Device, parse_matches, probes
from producer.discovery.xml import UnreadableXmlError

PORT: Final = 3702
GROUP: Final = "239.255.255.250"

_MAX_DATAGRAM: Final = 65_535
_MAX_REPLIES: Final = 4_096
_MAX_FROM_ONE: Final = 128
_MAX_CAMERAS: Final = 1_024
# Datagrams get lost, so each Probe is sent again after this time.
_AGAIN_AFTER_S: Final = 0.3
_GET_ADDRESS: Final = 0x8915  # SIOCGIFADDR of <linux/sockios.h>
_NAME_BYTES: Final = 256


Target: TypeAlias = tuple[socket.socket, tuple[str, int]]
"""A socket, and the address to which it sends."""


@dataclass
class Answers:
    """What a search brought.

    `found`: the cameras, by host and URL of their device service; the first answer of each counts.
    `asked`: addresses that were asked, or from which the group was. `faults`: why an interface
    could not be used. `unreadable`: how many replies were left out, because they are damaged, too
    many or not XML that is accepted.
    """

    found: dict[tuple[str, str], Device] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    unreadable: int = 0

    def devices(self) -> list[Device]:
        """Return the cameras in order of their addresses."""
        return sorted(
            self.found.values(), key=lambda device: (_in_order(device.host), device.service)
        )


def search(
    addresses: Sequence[tuple[str, int]],
    timeout_s: float,
    *,
    interfaces: Sequence[str] | None = None,
    group: tuple[str, int] = (GROUP, PORT),
) -> Answers:
    """Ask these addresses, or if there are none the multicast `group`.

    The group is asked on each of the `interfaces`, given by their addresses; by default on all.
    Waits for answers for `timeout_s`.
    """
    answers = Answers()
    with contextlib.ExitStack() as stack:
        if addresses:
            asked = [("", address) for address in addresses]
        else:
            own = own_addresses() if interfaces is None else interfaces
            asked = [(address, group) for address in own]
        opened = [_open(one, answers, stack) for one in asked]
        targets = [target for target in opened if target]
        if targets:
            _collect(targets, timeout_s, answers)
    return answers


def _open(
    asked: tuple[str, tuple[str, int]], answers: Answers, stack: contextlib.ExitStack
) -> Target | None:
    """Open the socket for an interface and an address. Return None if it cannot be used."""
    interface, address = asked
    connection = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    connection.setblocking(False)
    if interface:
        try:
            connection.bind((interface, 0))
            index = socket.inet_aton(interface)
            connection.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, index)
        except OSError as error:  # it lost its address just now
            answers.faults.append(f"{interface}: {error.strerror or error}")
            return None
    answers.asked.append(interface or address[0])
    return connection, address


def _collect(targets: Sequence[Target], timeout_s: float, answers: Answers) -> None:
    messages = probes()
    started = time.monotonic()
    send_at = [started, started + _AGAIN_AFTER_S]
    senders: Counter[str] = Counter()
    with selectors.DefaultSelector() as selector:
        for connection, _ in targets:
            selector.register(connection, selectors.EVENT_READ)
        while (now := time.monotonic()) < started + timeout_s:
            if send_at and now >= send_at[0]:
                del send_at[0]
                _send(targets, messages, answers)
            until = min([started + timeout_s, *send_at])
            for key, _ in selector.select(max(0.0, until - now)):
                _receive(key.fileobj, senders, answers)  # type: ignore[arg-type]
                if senders.total() >= _MAX_REPLIES:
                    return


def _send(targets: Iterable[Target], messages: Sequence[bytes], answers: Answers) -> None:
    for connection, address in targets:
        try:
            for message in messages:
                connection.sendto(message, address)
        except OSError as error:
            fault = f"{address[0]}: {error.strerror or error}"
            if fault not in answers.faults:
                answers.faults.append(fault)


def _receive(connection: socket.socket, senders: "Counter[str]", answers: Answers) -> None:
    try:
        content, (sender, _) = connection.recvfrom(_MAX_DATAGRAM)
    except OSError:  # for example that an address refused the datagram
        return
    senders[sender] += 1
    try:
        if senders[sender] > _MAX_FROM_ONE:
            raise UnreadableXmlError("too many replies")
        for device in parse_matches(content, sender):
            if len(answers.found) < _MAX_CAMERAS:
                answers.found.setdefault((device.host, device.service), device)
    except UnreadableXmlError:
        answers.unreadable += 1


def own_addresses() -> list[str]:
    """Return the IPv4 address of every interface but the loopback."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):  # the interface has no address
                request = struct.pack(f"{_NAME_BYTES}s", name.encode()[:15])
                reply = fcntl.ioctl(connection.fileno(), _GET_ADDRESS, request)
                address = socket.inet_ntoa(reply[20:24])
                if not address.startswith("127."):
                    found.append(address)
    return found


def _in_order(host: str) -> tuple[int, bytes | str]:
    try:
        return 0, socket.inet_aton(host)
    except OSError:
        return 1, host
