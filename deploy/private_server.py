"""A server of the launcher's own, on a unix socket that only this user can reach."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.children import Child
from deploy.redis_server import IN_MEMORY, ServerUnavailableError, find_server
from emotion_streams import connect_async
from emotion_streams.backoff import REDIS_ERRORS

SERVER: Final = "redis"
"""Name of the server's process."""

_LONGEST_FOLDER: Final = 70


async def start_server(folder: Path, children: list[Child], say: Callable[[str], None]) -> str:
    """Start a server with its socket in `folder`, append it to `children`; return its URL.

    It keeps frames only in memory. Raises ServerUnavailableError, and
    ProcessCrashedError if it cannot be started.
    """
    path = folder / "redis.sock"
    server = await Child.start(
        SERVER,
        [
            str(find_server()),
            *("--port", "0", "--unixsocket", str(path), "--dir", str(folder)),
            *IN_MEMORY,
        ],
        say=say,
    )
    children.append(server)
    url = f"unix://{path}"
    async with connect_async(url) as client:
        for _ in range(200):
            try:
                await client.ping()
            except REDIS_ERRORS:
                await asyncio.sleep(0.05)
            else:
                return url
    raise ServerUnavailableError(
        "the Redis server did not start within 10 s: " + " ".join(server.last_lines)
    )


@contextmanager
def own_folder() -> Iterator[Path]:
    """Create a folder for the server's socket, with mode 0700; remove it at the end.

    Raises ServerUnavailableError if no temporary folder can be used.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix="emotion-streams-", dir=_short_folder())
    except OSError as error:
        raise ServerUnavailableError(
            f"no folder for the Redis server: {error}. Set TMPDIR to one that can be written to"
        ) from None
    with folder as path:
        yield Path(path)


def _short_folder() -> str:
    """Return the parent of the server's folder. Raises OSError if there is none.

    It is the default temporary folder, unless the path of a socket there would be longer than the
    107 bytes that the kernel accepts.
    """
    usual = tempfile.gettempdir()
    return usual if len(usual.encode()) <= _LONGEST_FOLDER else "/tmp"  # noqa: S108 - a 0700 folder
