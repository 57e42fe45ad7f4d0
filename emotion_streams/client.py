"""Client and AsyncClient: one object per Redis for events, episodes, minutes and cameras."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from emotion_streams import keys, local_instance
from emotion_streams.cameras import CameraStatus, list_cameras
from emotion_streams.connection import connect_async
from emotion_streams.episodes import Episode
from emotion_streams.events import EmotionEvent
from emotion_streams.ledger import Ledger, read_ledger
from emotion_streams.minutes import Minute
from emotion_streams.ranges import Time, read_episodes, read_minutes, read_range
from emotion_streams.stream_kinds import EPISODES, MINUTES
from emotion_streams.subscribe import (
    NOW,
    After,
    Cameras,
    subscribe,
    subscribe_async,
    subscribe_episodes,
    subscribe_episodes_async,
)

Result = TypeVar("Result")

log = logging.getLogger(__name__)


class AsyncClient:
    """Reads events, episodes, minutes, cameras and ledgers from one Redis, for asyncio.

        async with AsyncClient("redis://localhost:6379") as client:
            async for event in client.subscribe("lobby"):
                ...

    `url` has the default of `subscribe_async`. It connects at the first call. Raises
    InvalidRedisUrlError for an invalid URL.
    """

    def __init__(self, url: str | None = None) -> None:
        self.url: Final = local_instance.redis_url(log.info) if url is None else url
        self._connection = connect_async(self.url)

    def subscribe(
        self, cameras: Cameras = None, after: After = NOW
    ) -> AsyncGenerator[EmotionEvent, None]:
        """Yield events as `subscribe_async` does, over a separate connection."""
        return subscribe_async(self.url, cameras, after)

    def subscribe_episodes(
        self, cameras: Cameras = None, after: After = NOW
    ) -> AsyncGenerator[Episode, None]:
        """Yield records as `subscribe_episodes_async` does, over a separate connection."""
        return subscribe_episodes_async(self.url, cameras, after)

    def read_episodes(
        self, camera: str, start: Time = None, end: Time = None
    ) -> AsyncGenerator[Episode, None]:
        """Yield the records written in a range of times, as `read_episodes_async` does."""
        return read_range(self._connection, EPISODES, camera, start, end)

    def read_minutes(
        self, camera: str, start: Time = None, end: Time = None
    ) -> AsyncGenerator[Minute, None]:
        """Yield the minutes that began in a range of times, as `read_minutes_async` does."""
        return read_range(self._connection, MINUTES, camera, start, end)

    async def cameras(self) -> list[CameraStatus]:
        """Return the status of every camera, by name. Raises redis-py's errors."""
        return await list_cameras(self._connection)

    async def ledger(self, camera: str) -> Ledger:
        """Return the camera's account; all zero for an unknown camera.

        Raises ValueError for a name that no camera can have, and redis-py's errors.
        """
        return await read_ledger(self._connection, keys.check_camera(camera))

    async def aclose(self) -> None:
        """Disconnect. Subscriptions continue until they are closed."""
        await self._connection.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


class Client:
    """The blocking counterpart of AsyncClient; also works beside a running loop, as in a notebook.

        with Client("redis://localhost:6379") as client:
            for event in client.subscribe("lobby"):
                ...

    Use it in one thread at a time.
    """

    def __init__(self, url: str | None = None) -> None:
        self._client = AsyncClient(url)
        # The caller's thread may already run a loop, in which blocking calls cannot await.
        self._thread = ThreadPoolExecutor(1, "emotion-streams")
        self._runner = asyncio.Runner()
        self._closed = False

    def subscribe(
        self, cameras: Cameras = None, after: After = NOW
    ) -> Generator[EmotionEvent, None, None]:
        """Yield events as the function `subscribe` does, over a separate connection."""
        return subscribe(self._client.url, cameras, after)

    def subscribe_episodes(
        self, cameras: Cameras = None, after: After = NOW
    ) -> Generator[Episode, None, None]:
        """Yield records as the function `subscribe_episodes` does, over a separate connection."""
        return subscribe_episodes(self._client.url, cameras, after)

    def read_episodes(
        self, camera: str, start: Time = None, end: Time = None
    ) -> Generator[Episode, None, None]:
        """Yield records as the function `read_episodes` does, over a separate connection."""
        return read_episodes(self._client.url, camera, start, end)

    def read_minutes(
        self, camera: str, start: Time = None, end: Time = None
    ) -> Generator[Minute, None, None]:
        """Yield minutes as the function `read_minutes` does, over a separate connection."""
        return read_minutes(self._client.url, camera, start, end)

    def cameras(self) -> list[CameraStatus]:
        """Return the status of every camera, by name. Raises redis-py's errors."""
        return self._run(self._client.cameras)

    def ledger(self, camera: str) -> Ledger:
        """Return the camera's account; all zero for an unknown camera.

        Raises ValueError for a name that no camera can have, and redis-py's errors.
        """
        return self._run(partial(self._client.ledger, camera))

    def close(self) -> None:
        """Disconnect permanently. Subscriptions continue until they are closed."""
        if self._closed:
            return
        self._closed = True
        self._run(self._client.aclose)
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, call: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        return self._thread.submit(lambda: self._runner.run(call())).result()
