"""The server in this process: Redis that fails in the midst, and clients that ask for nothing."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, aclosing, asynccontextmanager
from typing import Any
from unittest.mock import Mock

import httpx
import pytest
from prometheus_client import CollectorRegistry

from emotion_streams import EmotionEvent
from emotion_streams.connection import connect_async
from gateway.app import build
from gateway.follow import STEP
from gateway.history import History
from gateway.hub import Hub
from gateway.monitor import CameraMonitor, Listener
from gateway.server import Server, listen
from gateway.services import ConnectionLimit, Services
from gateway.settings import GatewaySettings
from gateway.trend import Trends
from service.health import Health
from service.metrics import GatewayMetrics
from tests.gateway.feeder import event, face, publish, register
from tests.servers import PATIENCE_S, free_port

CAMERA = "lobby"


@asynccontextmanager
async def serving(redis_url: str, events_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A server that knows the cameras at one URL and asks another for events; a client of it."""
    metrics, history = GatewayMetrics(CollectorRegistry()), History()
    async with connect_async(redis_url) as registry, aclosing(connect_async(events_url)) as events:
        monitor = CameraMonitor(registry, Health(), metrics, Mock(spec=Listener))
        await monitor.refresh()
        hub = Hub(metrics)
        limit = ConnectionLimit(1, metrics)
        services = Services(
            events, monitor, hub, history, Trends(events), None, False, limit, metrics
        )
        server = Server(build(GatewaySettings.model_construct(), services), 1, hub.close, idle_s=3)
        listener = listen("127.0.0.1", 0)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=PATIENCE_S) as client:
            yield client
        server.should_exit = True
        await task


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster"])
async def test_a_redis_that_is_not_there_ends_no_answer_as_if_it_were_whole(
    redis_url: str, client: Any, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """For every kind of error of redis-py, and also once the answer has begun."""

    async def unknown(*_: object) -> None:
        return None

    register(client, CAMERA)
    unused = f"{scheme}://127.0.0.1:{free_port()}"
    async with serving(redis_url, unused) as gateway:
        answer = await gateway.get(f"/api/cameras/{CAMERA}/events")
        assert answer.status_code == 503
        assert answer.json() == {"error": "Redis unreachable; try again"}
        resumed = await gateway.get("/api/events/stream", params={"after": f"{CAMERA}=1-0"})
        assert resumed.text.startswith("retry: "), "it ends; the client comes back"
        export = await gateway.get(f"/api/cameras/{CAMERA}/export?format=csv")
        assert export.status_code == 503
        monkeypatch.setattr("gateway.routes.export.oldest_ms", unknown)
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            await gateway.get(f"/api/cameras/{CAMERA}/export?format=csv")


def drain(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


@pytest.mark.parametrize("said", [b"", b"GET /healthz HTTP/1.1\r\nHost: local"])
async def test_clients_that_complete_no_request_lock_no_other_out_and_are_closed(
    redis_url: str, said: bytes
) -> None:
    with ExitStack() as clients:
        async with serving(redis_url, redis_url) as gateway:
            address = (gateway.base_url.host, gateway.base_url.port)
            for _ in range(110):
                silent = clients.enter_context(socket.create_connection(address))
                silent.sendall(said)
            # A connection of its own each time, as a newcomer services.
            newcomer = {"Connection": "close"}
            for _ in range(10):
                assert (await gateway.get("/healthz", headers=newcomer)).status_code == 200
            async with asyncio.timeout(PATIENCE_S):  # the last of them is closed too
                await asyncio.get_running_loop().run_in_executor(None, drain, silent)


async def test_a_request_begun_after_an_answer_has_a_time_limit(redis_url: str) -> None:
    async with serving(redis_url, redis_url) as gateway, asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection(gateway.base_url.host, gateway.base_url.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"ok\n")
        writer.write(b"GET /healthz HTTP/1.1\r\n")
        assert await reader.read() == b"", "it was closed"
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    "path", ["events?limit=1000", "events?emotion=happiness&limit=1000", "export"]
)
async def test_a_client_that_asks_for_many_events_leaves_the_others_their_turns(
    redis_url: str, client: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Between two turns of the loop no more is unpacked than takes some milliseconds."""
    register(client, CAMERA)
    with client.pipeline() as pipe:
        for ms in range(1, 1001):
            publish(pipe, event(CAMERA, ms, face()))
        pipe.execute()
    from_stream_entry = EmotionEvent.from_stream_entry
    since_turn, all_turns = [0], []

    def counted(*entry: Any) -> EmotionEvent | None:
        since_turn[0] += 1
        return from_stream_entry(*entry)

    async def turn() -> None:
        while True:
            all_turns.append(since_turn[0])
            since_turn[0] = 0
            await asyncio.sleep(0)

    monkeypatch.setattr(EmotionEvent, "from_stream_entry", counted)
    async with serving(redis_url, redis_url) as gateway:
        turning = asyncio.create_task(turn())
        await gateway.get(f"/api/cameras/{CAMERA}/{path}")
        turning.cancel()
    assert sum(all_turns) == 1000
    assert max(all_turns) <= STEP
