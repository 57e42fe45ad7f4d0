"""A TCP proxy before a server, which cuts connections where it hurts."""

import asyncio
import random
import ssl
import threading
from collections import Counter
from enum import StrEnum
from typing import Final, Self

_CHUNK: Final = 1 << 16


class Cut(StrEnum):
    """When a connection is cut."""

    REQUEST = "request"
    """Half of the command was sent: the server never does it."""
    REPLY = "reply"
    """The server has done it, and its reply is lost."""


class CuttingProxy:
    """Listens on a port of its own and passes everything on to `port`, until it is asked to cut.

    Its clients speak TLS where `tls` is given. Each reply comes `delay_s` later than the server's.
    `names` gives commands names by a text they hold, such as a script's hash. `cuts` counts the cut
    connections by way and command.
    """

    def __init__(
        self,
        port: int,
        names: dict[str, str],
        seed: int = 0,
        tls: ssl.SSLContext | None = None,
        delay_s: float = 0.0,
    ) -> None:
        self.cuts: Counter[tuple[Cut, str]] = Counter()
        self._target = port
        self._names = {text.encode(): name for text, name in names.items()}
        self._random = random.Random(seed)
        self._share = 0.0
        self._delay_s = delay_s
        self._wanted: set[str] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls), self._loop
        ).result()
        self.port: int = self._server.sockets[0].getsockname()[1]

    def cut(self, share: float, *commands: str) -> None:
        """From now on cut at this share of the commands, given by name; 0 ends it."""
        self._share, self._wanted = share, set(commands)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _end(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.1)  # transports end a little after their links

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        link = _Link(writer, to_server)
        try:
            await asyncio.gather(self._requests(reader, link), self._replies(from_server, link))
        finally:
            link.close()

    async def _requests(self, reader: asyncio.StreamReader, link: "_Link") -> None:
        try:
            while chunk := await reader.read(_CHUNK):
                cut = self._decide(chunk, link)
                if cut is Cut.REQUEST:
                    link.to_server.write(chunk[: len(chunk) // 2])
                    break
                link.to_server.write(chunk)
                await link.to_server.drain()
        except OSError:
            pass  # one side is gone, and now the other is
        link.close()

    async def _replies(self, reader: asyncio.StreamReader, link: "_Link") -> None:
        try:
            while chunk := await reader.read(_CHUNK):
                if link.lose_reply:
                    break
                await asyncio.sleep(self._delay_s)
                link.to_client.write(chunk)
                await link.to_client.drain()
        except OSError:
            pass
        link.close()

    def _decide(self, chunk: bytes, link: "_Link") -> Cut | None:
        command = next((name for text, name in self._names.items() if text in chunk), None)
        if command not in self._wanted or self._random.random() >= self._share:
            return None
        cut = self._random.choice(list(Cut))
        link.lose_reply = cut is Cut.REPLY
        self.cuts[cut, command] += 1
        return cut


class _Link:
    """A client's connection and its counterpart to the server."""

    def __init__(self, to_client: asyncio.StreamWriter, to_server: asyncio.StreamWriter) -> None:
        self.to_client = to_client
        self.to_server = to_server
        self.lose_reply = False

    def close(self) -> None:
        self.to_client.transport.abort()
        self.to_server.transport.abort()
