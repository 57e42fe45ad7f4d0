"""Run everything on this machine until Ctrl-C; in a checkout also by `make run`.

The smallest deployment: the same processes with the same defaults as in every other deployment,
and a server that only this user can reach.
"""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any, Final

from redis.exceptions import RedisClusterException, RedisError

from deploy.children import Child, end_with_make
from deploy.options import build_parser
from deploy.plan import PortUnavailableError, cameras, choose_port, commands
from deploy.private_server import SERVER, own_folder, start_server
from deploy.redis_server import ServerUnavailableError
from deploy.status import Status
from emotion_streams import connect_async, local_instance, read_ledger, subscribe_async
from emotion_streams.backoff import REDIS_ERRORS
from emotion_streams.cancellation import cancel_and_wait
from emotion_streams.cli.output import describe
from emotion_streams.local_instance import LocalInstance
from emotion_streams.printable import printable
from emotion_streams.redaction import short_message
from service.command_line import conceal
from service.parser import exit_with_error
from service.supervision import ProcessCrashedError, exit_text

GRACE_S: Final = 2.0
"""How long the processes may take to exit after Ctrl-C before they are killed."""

SERVER_GRACE_S: Final = 0.5


def main(argv: list[str] | None = None) -> int:
    """Run until Ctrl-C, or until a file has been analysed to its end."""
    parser = build_parser(__doc__)
    arguments = parser.parse_args(argv)
    try:
        sources = cameras(arguments.source, arguments.camera)
    except ValueError as error:
        parser.error(f"--camera: {error}")
    try:
        return asyncio.run(_run(arguments, sources))
    except (PortUnavailableError, ServerUnavailableError) as error:
        exit_with_error("run", str(error))
    except ProcessCrashedError as error:
        print(f"run: {printable(str(error))}", file=sys.stderr)
        return 1
    except (RedisError, RedisClusterException) as error:
        print(f"run: Redis: {short_message(error)}", file=sys.stderr)
        return 1


async def _run(arguments: argparse.Namespace, sources: Mapping[str, str]) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    port = choose_port(arguments.port)
    page = f"http://127.0.0.1:{port}/"
    status = Status(page)
    async with AsyncExitStack() as ending:
        folder = None if arguments.redis else ending.enter_context(own_folder())
        children: list[Child] = []
        ending.push_async_callback(end_all, children)
        url = await start_server(folder, children, status.say) if folder else arguments.redis
        for command, environ in commands(arguments, sources, port):
            child = await Child.start(
                command[0],
                [sys.executable, "-m", *command],
                # URLs are passed by the environment: any user can read a command line.
                {"EMOTION_REDIS": url, **environ},
                status.say,
            )
            children.append(child)
        ending.enter_context(local_instance.announced(LocalInstance(url, page)))
        status.say(f"live page: {page}")
        return await follow(url, list(sources), children, stopping, status)


async def follow(
    url: str,
    cameras: list[str],
    children: list[Child],
    stopping: asyncio.Event,
    status: Status,
) -> int:
    """Print events until Ctrl-C or the crash of a process.

    When every producer has reached the end of its file and all frames are analysed, print a
    summary; on a terminal the live page then stays available until Ctrl-C. Returns the exit code.
    """
    running = _Running(children)
    printing = asyncio.create_task(_print_events(url, cameras, status))
    stop = asyncio.create_task(stopping.wait())
    settling: set[asyncio.Task[None]] = set()
    try:
        while True:
            done, _ = await asyncio.wait(
                {*running.ends, *settling, printing, stop}, return_when=asyncio.FIRST_COMPLETED
            )
            if printing in done:
                printing.result()  # it never returns, so this raises its error
            if stop in done:
                return 0
            if settling & done:
                status.finish()
                status.say(f"all frames analysed: {status.summary()}")
                if not sys.stderr.isatty():
                    return 0
                settling = set()
                continue
            if crash := running.remove_ended(done):
                status.clear()
                child, code = crash
                lines = child.last_lines
                print(f"{child.name} exited ({exit_text(code)}):", *lines, sep="\n  ")
                return 1
            if not running.has_producer:
                settling = {asyncio.create_task(_settle(url, cameras))}
    finally:
        status.clear()
        await cancel_and_wait(printing, stop, *settling, *running.ends)


class _Running:
    """The processes that have not ended. `ends`: the task that waits for the end of each."""

    def __init__(self, children: Iterable[Child]) -> None:
        self.ends = {asyncio.create_task(child.wait()): child for child in children}

    @property
    def has_producer(self) -> bool:
        """Whether a producer has not reached the end of its file."""
        return any(child.name == "producer" for child in self.ends.values())

    def remove_ended(self, done: Iterable[Any]) -> tuple[Child, int] | None:
        """Remove the processes whose task is done; return one that crashed, and its exit code.

        Only a producer may end, with code 0.
        """
        for task in done:
            if child := self.ends.pop(task, None):
                code: int = task.result()
                if child.name != "producer" or code != 0:
                    return child, code
        return None


async def _settle(url: str, cameras: list[str]) -> None:
    """Wait until no frame of the ended files is left to analyse."""
    async with connect_async(url) as client:
        waiting = set(cameras)
        while waiting:
            with suppress(*REDIS_ERRORS):  # if Redis is gone for good, its process has ended
                for camera in list(waiting):
                    ledger = await read_ledger(client, camera)
                    if not ledger.queued and not ledger.pending:
                        waiting.remove(camera)
            await asyncio.sleep(0.1)
    await asyncio.sleep(0.2)  # the last event may not be printed yet


async def _print_events(url: str, cameras: list[str], status: Status) -> None:
    ticking = asyncio.create_task(status.tick())
    try:
        async for event in subscribe_async(url, cameras, after="start"):
            status.clear()
            print(describe(event), flush=True)
            status.note(event)
    finally:
        await cancel_and_wait(ticking)


async def end_all(children: list[Child]) -> None:
    """Stop all processes at once, and the server after them, so that the worker can commit.

    The server has a grace period of its own, regardless of how long the others took.
    """
    deadline = time.monotonic() + GRACE_S
    await asyncio.gather(*(child.end(deadline) for child in children if child.name != SERVER))
    for server in (child for child in children if child.name == SERVER):
        await server.end(time.monotonic() + SERVER_GRACE_S)


if __name__ == "__main__":
    end_with_make()
    sys.exit(main(conceal()))
