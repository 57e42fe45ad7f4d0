"""Clients of Redis or Valkey for every process: one URL, the same timeouts, no hidden retries."""

import inspect
from typing import Any, Final, NamedTuple, TypeAlias

import redis
import redis.asyncio
from redis.asyncio.cluster import ClusterNode as AsyncClusterNode
from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.asyncio.sentinel import SentinelConnectionPool as AsyncSentinelConnectionPool
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from emotion_streams.redis_url import parse_url

SOCKET_TIMEOUT_S: Final = 3.0
"""A reply that takes longer counts as lost. Every blocking read must block for less."""

CONNECT_TIMEOUT_S: Final = 2.0

MAX_CONNECTIONS: Final = 1024
# A worker holds a blocking read open for each of its cameras; redis-py's default of 100 is too low.

_READ_SIZE: Final = 1 << 20
# redis-py reads 32 KB at a time; with 1 MB a 100 KB frame takes 90 microseconds instead of 400.

_HAS_READ_SIZE: Final = "socket_read_size" in inspect.signature(redis.Redis).parameters
_CHOOSES_NODE: Final = (
    "last_failed_node_name" in inspect.signature(AsyncRedisCluster.initialize).parameters
)
# redis-py has both from version 8 on. The processes require it; for a client, which reads small
# events and may wait, an older version is sufficient.

Client: TypeAlias = Any
"""A redis-py client of any topology. The type is Any, because redis-py types each reply as a union
of bytes and text, list and mapping, immediate and awaitable. Callers annotate the replies."""


def connect_async(url: str) -> Client:
    """Make an asyncio client for the URL without connecting. Raises InvalidRedisUrlError."""
    return _connect(url, _ASYNC)


def connect(url: str) -> Client:
    """Make a blocking client for the URL, for code that runs in threads.

    Raises InvalidRedisUrlError. A cluster is contacted at once; RedisClusterException is raised if
    it cannot be reached.
    """
    return _connect(url, _SYNC)


class _AsyncSentinelPool(AsyncSentinelConnectionPool):
    """A pool that also closes the sentinels' connections, which redis-py leaves to the GC."""

    async def aclose(self) -> None:
        await super().aclose()
        for sentinel in self.sentinel_manager.sentinels:
            await sentinel.aclose()


class _SentinelPool(SentinelConnectionPool):
    """The blocking counterpart of _AsyncSentinelPool."""

    def close(self) -> None:
        super().close()
        for sentinel in self.sentinel_manager.sentinels:
            sentinel.close()


class _AsyncCluster(AsyncRedisCluster):
    """A cluster client that asks the failed node last for the cluster's layout.

    redis-py asks any node for the layout after each failure, while all other commands wait: a node
    that hangs would delay them repeatedly. Before redis-py 8 there is no way to choose the node.
    """

    async def initialize(
        self,
        additional_startup_nodes_info: list[tuple[str, int]] | None = None,
        last_failed_node_name: str | None = None,
    ) -> "_AsyncCluster":
        # redis-py moves the failed node to the end.
        last = next(reversed(self.nodes_manager.startup_nodes), None)
        await super().initialize(additional_startup_nodes_info, last_failed_node_name or last)
        return self


class _Kit(NamedTuple):
    """redis-py's classes, asyncio or blocking. Any: some are untyped, and the pairs differ."""

    redis: Any
    cluster: Any
    node: Any
    sentinel: Any
    sentinel_pool: Any
    retry: Any


_ASYNC: Final = _Kit(
    redis.asyncio.Redis,
    _AsyncCluster if _CHOOSES_NODE else AsyncRedisCluster,
    AsyncClusterNode,
    AsyncSentinel,
    _AsyncSentinelPool,
    AsyncRetry,
)
_SYNC: Final = _Kit(redis.Redis, RedisCluster, ClusterNode, Sentinel, _SentinelPool, Retry)


def _connect(url: str, kit: _Kit) -> Client:
    parsed = parse_url(url)
    options: dict[str, Any] = {
        **parsed.options,
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        **({"socket_read_size": _READ_SIZE} if _HAS_READ_SIZE else {}),
        "max_connections": MAX_CONNECTIONS,
        # Only the caller knows whether a command may be sent twice.
        "retry": kit.retry(NoBackoff(), 0),
    }
    if parsed.kind == "redis+cluster":
        nodes = [kit.node(host, port) for host, port in parsed.hosts]
        return kit.cluster(startup_nodes=nodes, **options)
    if parsed.kind == "redis+sentinel":
        # Sentinels have separate users, or none.
        secrets = {"username", "password"}
        watching = {name: value for name, value in options.items() if name not in secrets}
        watching |= parsed.sentinel_options
        sentinel = kit.sentinel(list(parsed.hosts), sentinel_kwargs=watching)
        return sentinel.master_for(
            parsed.service,
            connection_pool_class=kit.sentinel_pool,
            db=parsed.database,
            **options,
        )
    if parsed.kind == "unix":
        return kit.redis(unix_socket_path=parsed.path, db=parsed.database, **options)
    ((host, port), *_) = parsed.hosts
    return kit.redis(host=host, port=port, db=parsed.database, **options)
