"""Runs a step for many cameras concurrently, without one connection to Redis per camera."""

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


def limit_per_shard(
    client: Client, step: Callable[[str], Awaitable[Result]]
) -> Callable[[str], Coroutine[Any, Any, Result]]:
    """Wrap a step that is called for many cameras, with at most 16 concurrent calls to each shard.

    Each call holds a connection while it waits for the reply. A shard that hangs delays only its
    own cameras.
    """
    turns: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_AT_ONCE))

    async def in_turn(camera: str) -> Result:
        async with turns[_shard(client, camera)]:
            return await step(camera)

    return in_turn


def _shard(client: Client, camera: str) -> str:
    """Return the name of the server that has the camera's keys.

    It is the same name for all cameras if there is one server, or if the cluster layout is unknown.
    """
    if not isinstance(client, RedisCluster):
        return ""
    try:
        node = client.get_node_from_key(keys.frames(camera))
    except SlotNotCoveredError:
        return ""
    return node.name if node else ""
