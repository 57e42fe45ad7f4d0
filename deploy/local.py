"""`make run`: all of it on this machine, ended by Ctrl-C. The smallest deployment: the same
processes with the same defaults as everywhere else, and a server that only this user reaches."""

import argparse
import asyncio
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Final

from redis.exceptions import RedisClusterException, RedisError

from deploy.children import Child
from deploy.options import build_parser
from deploy.redis_server import NoServer, find_server
from deploy.status import Status
from emotion_streams import connect, read_ledger, subscribe_async
from emotion_streams.backoff import REDIS_ERRORS
from emotion_streams.cli import describe
from emotion_streams.redaction import short_message
from service.command_line import conceal
from service.settings import exit_with_error

_LONGEST_FOLDER: Final = 70

GRACE_S: Final = 2.0
"""How long the processes may take to end after Ctrl-C before they are killed."""

_SERVER: Final = "redis"
_SERVER_GRACE_S: Final = 0.5


def main(argv: list[str] | None = None) -> int:
    """Run until Ctrl-C, or until a file has been analysed to its end."""
    arguments = build_parser(__doc__).parse_args(argv)
    try:
        return asyncio.run(_run(arguments))
    except NoServer as error:
        exit_with_error("deploy.local", str(error))
    except (RedisError, RedisClusterException) as error:
        print(f"deploy.local: Redis: {short_message(error)}", file=sys.stderr)
        return 1


async def _run(arguments: argparse.Namespace) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    camera = arguments.camera or camera_name(arguments.source)
    port = arguments.port or free_port(8080)
    feed = ["--metrics-port", "0", "--camera", camera, *pace(arguments.source, arguments.fps)]
    with tempfile.TemporaryDirectory(prefix="emotion-streams-", dir=short_folder()) as folder:
        async with AsyncExitStack() as ending:
            children: list[Child] = []
            ending.push_async_callback(_end_all, children)
            url = arguments.redis or await _start_server(Path(folder), children)
            environ = {"EMOTION_REDIS": url, "EMOTION_PRODUCER_SOURCE": arguments.source}
            worker = ["worker", "--metrics-port", "0"]
            if arguments.detector_model:
                worker += ["--detector-model", arguments.detector_model]
            await _start(children, worker, environ)
            producer = await _start(children, ["producer", *feed], environ)
            page = ["gateway", "--port", str(port), "--metrics-port", "0"]
            await _start(children, page, environ)
            print(f"live page: http://127.0.0.1:{port}/", file=sys.stderr)
            return await follow(url, camera, producer, children, stopping)


async def _start_server(folder: Path, children: list[Child]) -> str:
    """A server on a unix socket that only this user reaches. It keeps frames in memory alone."""
    path = folder / "redis.sock"
    server = await Child.start(
        _SERVER,
        [
            str(find_server()),
            *("--port", "0", "--unixsocket", str(path), "--dir", str(folder)),
            *("--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"),
        ],
    )
    children.append(server)
    url = f"unix://{path}"
    async with connect(url) as client:
        for _ in range(200):
            try:
                await client.ping()
            except REDIS_ERRORS:
                await asyncio.sleep(0.05)
            else:
                return url
    raise NoServer("the server did not start within 10 s: " + " ".join(server.last_lines))


async def _start(children: list[Child], command: list[str], environ: Mapping[str, str]) -> Child:
    """Start a process of ours. URLs go by `environ`, for they may hold passwords, and everybody on
    the machine can read a command line."""
    child = await Child.start(command[0], [sys.executable, "-m", *command], environ)
    children.append(child)
    return child


async def follow(
    url: str, camera: str, producer: Child, children: list[Child], stopping: asyncio.Event
) -> int:
    """Print events until Ctrl-C, the end of a file that is then analysed, or the fall of a
    process."""
    status = Status()
    ends: dict[asyncio.Task[Any], Child] = {
        asyncio.create_task(child.wait()): child for child in children
    }
    printing = asyncio.create_task(_print_events(url, camera, status))
    stop = asyncio.create_task(stopping.wait())
    settling: set[asyncio.Task[None]] = set()
    try:
        while True:
            done, _ = await asyncio.wait(
                {*ends, *settling, printing, stop}, return_when=asyncio.FIRST_COMPLETED
            )
            if printing in done:
                printing.result()  # it never returns, so this raises what ended it
            if stop in done or settling & done:
                return 0
            ended = next(task for task in done if task in ends)
            child, code = ends.pop(ended), ended.result()
            if child is not producer or code != 0:
                status.clear()
                print(f"{child.name} ended with code {code}:", *child.last_lines, sep="\n  ")
                return 1
            settling = {asyncio.create_task(_settle(url, camera))}
    finally:
        status.clear()
        tasks = (printing, stop, *settling, *ends)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _settle(url: str, camera: str) -> None:
    """Wait until nothing of an ended file is left to analyse."""
    async with connect(url) as client:
        while True:
            with suppress(*REDIS_ERRORS):  # if it is gone for good, its process has ended
                ledger = await read_ledger(client, camera)
                if not ledger.queued and not ledger.in_flight:
                    break
            await asyncio.sleep(0.1)
    await asyncio.sleep(0.2)  # the last event is on its way to the screen


async def _print_events(url: str, camera: str, status: Status) -> None:
    ticking = asyncio.create_task(status.tick())
    try:
        async for event in subscribe_async(url, camera, after="start"):
            status.clear()
            print(describe(event), flush=True)
            status.note(event.latency.total_ms)
    finally:
        ticking.cancel()


async def _end_all(children: list[Child]) -> None:
    """All at once, but the server after them, so that the worker can commit. It has time of its own
    however long they took."""
    deadline = time.monotonic() + GRACE_S
    await asyncio.gather(*(child.end(deadline) for child in children if child.name != _SERVER))
    for server in (child for child in children if child.name == _SERVER):
        await server.end(time.monotonic() + _SERVER_GRACE_S)


def short_folder() -> str | None:
    """Where the server's own folder (made 0700) goes: the usual place, unless a socket's path there
    would be longer than the 107 bytes that the kernel takes."""
    usual = tempfile.gettempdir()
    return usual if len(usual.encode()) <= _LONGEST_FOLDER else "/tmp"  # noqa: S108 - a 0700 folder


def pace(source: str, fps: str) -> list[str]:
    """Options of the producer: all of a file, since whoever gives one wants all of it; of a camera
    so many frames per second."""
    path = Path(source)
    return ["--policy", "every"] if path.is_file() or path.is_dir() else ["--fps", fps]


def free_port(wanted: int) -> int:
    """The wanted port of loopback, or any other where somebody has it."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def camera_name(source: str) -> str:
    """A camera's name for a source: `demo`, `camera-0`, `lobby` for .../lobby.avi; never a URL."""
    if "://" in source:
        return "camera"
    stem = "".join(c if c.isascii() and c.isalnum() else "-" for c in Path(source).stem).strip("-")
    return f"camera-{stem}" if stem.isdigit() else stem[:63] or "camera"


if __name__ == "__main__":
    sys.exit(main(conceal()))
