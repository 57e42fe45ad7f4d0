"""The same step for many cameras at once, without a connection to Redis for each."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import SlotNotCoveredError

from emotion_streams import keys
from emotion_streams.connection import Client

Result = TypeVar("Result")

_AT_ONCE: Final = 16


def few_at_once(
    client: Client, step: Callable[[str], Awaitable[Result]]
) -> Callable[[str], Coroutine[Any, Any, Result]]:
    """The step, to be called for many cameras: 16 of its calls to each shard run at a time, since
    each holds a connection of its own while it waits for the reply. A shard that hangs takes no
    turns from the cameras of another."""
    turns: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_AT_ONCE))

    async def in_turn(camera: str) -> Result:
        async with turns[_shard(client, camera)]:
            return await step(camera)

    return in_turn


def _shard(client: Client, camera: str) -> str:
    """The server that has the camera's keys; one name for all where there is but one, or where a
    cluster has not said yet."""
    if not isinstance(client, RedisCluster):
        return ""
    try:
        node = client.get_node_from_key(keys.frames(camera))
    except SlotNotCoveredError:
        return ""
    return node.name if node else ""
