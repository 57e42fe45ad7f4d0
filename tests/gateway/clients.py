"""Clients that read a server-sent event stream byte by byte, as no library does for us."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from tests.gateway.feeder import CALM, register
from tests.gateway.processes import Gateway
from tests.servers import PATIENCE_S, eventually


@dataclass(frozen=True)
class Message:
    name: str
    id: str
    data: Any


def attach(gateway: Gateway, store: Any, camera: str) -> None:
    """Register a camera, and wait until the gateway knows it."""
    register(store, camera, **CALM)
    eventually(lambda: f'"{camera}"' in gateway.get("/api/cameras").text)


def read(
    gateway: Gateway,
    count: int,
    last_id: str | None = None,
    query: str = "",
    name: str = "emotion",
    camera: str = "",
) -> list[Message]:
    """Connect, and return once so many messages of the name have come, and of the camera if one is
    given: a stream of all cameras has those of other tests."""
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    found: list[Message] = []
    with gateway.stream(f"/api/events/stream{query}", headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        for message in parse(answer.iter_lines()):
            if message.name == name and camera in ("", message.data["camera"]):
                found.append(message)
            if len(found) == count:
                return found
    raise AssertionError(f"the stream ended after {len(found)} of {count}")


def records(answer: httpx.Response) -> Iterator[Message]:
    """Messages but for states: those change on their own as time passes."""
    return (each for each in parse(answer.iter_lines()) if each.name != "camera")


def parse(lines: Iterator[str]) -> Iterator[Message]:
    """Messages as a browser would dispatch them."""
    fields: dict[str, str] = {}
    last_id = ""
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
            continue
        last_id = fields.get("id", last_id)
        if "data" in fields:
            yield Message(fields.get("event", "message"), last_id, json.loads(fields["data"]))
        elif "id" in fields:
            yield Message("position", last_id, None)
        fields = {}


async def latencies_ms(port: int, camera: str, clients: int, events: int) -> list[list[float]]:
    """Per client the milliseconds from the capture of so many events to their arrival here."""
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        tasks = [group.create_task(_listen(port, camera, events)) for _ in range(clients)]
    return [task.result() for task in tasks]


async def _listen(port: int, camera: str, events: int) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    path = f"/api/events/stream?camera={camera}"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    found: list[float] = []
    while len(found) < events:
        line = await reader.readline()
        assert line, f"the stream ended after {len(found)} of {events}"
        if b'"captured_ms"' in line:
            found.append(time.time() * 1000 - json.loads(line[6:])["captured_ms"])
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    return found


def never_reading(port: int, path: str) -> socket.socket:
    """A client that asks and then takes nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return client
