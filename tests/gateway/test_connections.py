"""Strangers' connections, real ones by the hundred, and what is left for those with the token."""

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from gateway.connections import (
    IdleConnections,
    max_connections,
    reserve_files,
)
from gateway.settings import GatewaySettings
from service.settings_file import InvalidSettingsError
from tests.gateway.processes import Gateway
from tests.servers import PATIENCE_S, RedisProcess, Stopwatch, eventually

TOKEN = "0123456789abcdef"
SHOWN = {"Authorization": f"Bearer {TOKEN}"}


@contextmanager
def strangers(
    port: int, count: int, addresses: int = 1, said: bytes = b""
) -> Iterator[list[socket.socket]]:
    """So many connections, from so many addresses of the loopback, that show no token."""
    with ExitStack() as stack:
        opened = []
        for n in range(count):
            source = (f"127.0.1.{1 + n % addresses}", 0)
            address = ("127.0.0.1", port)
            client = socket.create_connection(address, PATIENCE_S, source_address=source)
            opened.append(stack.enter_context(client))
            client.sendall(said)
        yield opened


@pytest.mark.parametrize("addresses", [1, 100])
@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_idle_strangers_lock_no_token_holder_out(
    redis_server: RedisProcess, addresses: int, said: bytes
) -> None:
    """Of 30 requests amid 500 connections, from one address or many, each is answered at once."""
    with Gateway(redis_server.url, "--max-clients", "5", token=TOKEN) as gateway:
        with strangers(gateway.port, 500, addresses, said):
            watch = Stopwatch()
            answers = [gateway.get("/api/cameras", headers=SHOWN).status_code for _ in range(30)]
            assert answers == [200] * 30
            assert watch.read_s() < 4, "before idle connections are closed anyway"
        assert len(gateway.log()) < 5_000


def test_many_newcomers_at_once_are_all_served(redis_server: RedisProcess) -> None:
    """From one address, as behind a proxy: none is dropped before it has asked."""
    with (
        Gateway(redis_server.url) as gateway,
        strangers(
            gateway.port, 200, said=b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        ) as all_,
    ):
        assert [client.recv(15) for client in all_] == [b"HTTP/1.1 200 OK"] * len(all_)


def test_streams_are_never_the_ones_to_give_way(redis_server: RedisProcess) -> None:
    with (
        Gateway(redis_server.url, "--max-clients", "3", token=TOKEN) as gateway,
        gateway.stream("/api/events/stream", headers=SHOWN) as answer,
    ):
        lines = answer.iter_lines()
        next(lines)
        with strangers(gateway.port, 500, addresses=100):
            assert gateway.get("/api/cameras", headers=SHOWN).status_code == 200
            assert any(line.startswith(": heartbeat") for line in lines)


def test_at_the_descriptor_limit_it_says_so_once_and_recovers(redis_server: RedisProcess) -> None:
    """The limit falls below what the gateway made sure of, as in a container that is squeezed."""
    with Gateway(redis_server.url, token=TOKEN) as gateway:
        resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE, (40, 40))
        with strangers(gateway.port, 200, addresses=100):
            eventually(lambda: "cannot accept connections" in gateway.log())
            time.sleep(3)  # several tries of asyncio's, one a second
        assert gateway.log().count("cannot accept connections") == 1
        assert len(gateway.log()) < 5_000
        eventually(lambda: answers(gateway))


def answers(gateway: Gateway) -> bool:
    try:
        return gateway.get("/api/cameras", headers=SHOWN).status_code == 200
    except httpx.TransportError:  # it closed the connection for want of descriptors
        return False


def test_more_clients_than_the_system_has_files_for_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = {"now": (1024, 4096)}
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits["now"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, value: limits.update(now=value))
    reserve_files(GatewaySettings.model_fields["max_clients"].default)
    assert limits["now"] == (1024, 4096), "the default fits the usual limit"
    reserve_files(1_000)
    assert limits["now"] == (max_connections(1_000) + 500, 4096)
    with pytest.raises(
        InvalidSettingsError, match=r"max_clients: 10000 clients need .* the limit is 4096"
    ):
        reserve_files(10_000)


class Idle:
    def __init__(self, flushed: bool = True) -> None:
        self.flushed, self.dropped = flushed, False

    def is_flushed(self) -> bool:
        return self.flushed

    def drop(self) -> None:
        self.dropped = True


def test_the_oldest_of_the_address_with_the_most_idle_connections_gives_way() -> None:
    table = IdleConnections()
    visitor, flood = Idle(), [Idle() for _ in range(5)]
    table.add(visitor, "192.0.2.1")
    for n, connection in enumerate(flood):
        table.add(connection, f"2001:db8::{n}")  # one network, so one client
    for _ in range(3):
        table.drop_one()
    assert [connection.dropped for connection in flood] == [True] * 3 + [False] * 2
    assert not visitor.dropped


def test_a_connection_with_an_answer_still_to_be_sent_gives_way_last() -> None:
    table = IdleConnections()
    sending, idle = Idle(flushed=False), Idle()
    table.add(sending, "192.0.2.1")
    table.add(idle, "192.0.2.1")
    table.drop_one()
    assert (sending.dropped, idle.dropped) == (False, True)
    table.drop_one()
    assert sending.dropped
    table.drop_one()  # none is left
