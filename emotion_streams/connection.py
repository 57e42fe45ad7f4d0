"""How every process reaches Redis or Valkey: one URL, the same timeouts, no hidden retries."""

import os
import re
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

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

SOCKET_TIMEOUT_S: Final = 3.0
"""A reply later than this counts as lost. Every blocking read must block for less."""

CONNECT_TIMEOUT_S: Final = 2.0

_MAX_CONNECTIONS: Final = 1024
# A worker has a blocking read open for each of its cameras; redis-py's default of 100 is too few.

_READ_SIZE: Final = 1 << 20
# redis-py reads 32 KB at a time; with 1 MB a 100 KB frame takes 90 microseconds instead of 400.

_SCHEMES: Final = {
    "redis",
    "rediss",
    "unix",
    "redis+cluster",
    "rediss+cluster",
    "redis+sentinel",
    "rediss+sentinel",
}
_TLS_OPTIONS: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs")
_DEFAULT_PORT: Final = {"redis": 6379, "redis+cluster": 6379, "redis+sentinel": 26379}


Client: TypeAlias = Any
"""A redis-py client of any topology. Any, because redis-py types each reply as a union of bytes and
text, list and mapping, now and awaitable; callers annotate what they receive instead."""


class InvalidRedisUrl(ValueError):
    """A Redis URL that cannot be used: what is wrong with it, and what it should look like."""


@dataclass(frozen=True)
class RedisUrl:
    """A parsed URL. `hosts` holds one (host, port), or the nodes of a cluster or its sentinels."""

    kind: str
    hosts: tuple[tuple[str, int], ...]
    path: str
    service: str
    database: int
    options: dict[str, Any]


def parse_url(url: str, environ: "os._Environ[str] | dict[str, str]" = os.environ) -> RedisUrl:
    """Parse redis://, rediss:// (TLS), unix://, redis+cluster:// and redis+sentinel:// URLs.

    Several hosts are separated by commas; a sentinel URL's path is `/service` or `/service/db`.
    As a query may follow `db`, and with TLS `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile` and
    `ssl_cert_reqs`, as redis-py knows them. User and password come from the URL, else from
    EMOTION_REDIS_USERNAME and EMOTION_REDIS_PASSWORD. Raises InvalidRedisUrl, whose text holds no
    password.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in _SCHEMES:
        raise InvalidRedisUrl(
            f"{redact_url(url)!r} is no Redis URL: it starts with one of "
            + ", ".join(sorted(f"{name}://" for name in _SCHEMES))
        )
    tls = scheme.startswith("rediss")
    kind = scheme.replace("rediss", "redis", 1)
    # urlsplit does not know lists of hosts, so they are taken off first.
    authority = re.split("[/?]", rest, maxsplit=1)[0]
    credentials, at, host_list = authority.rpartition("@")
    parts = urlsplit(f"x://x/{rest.removeprefix(authority).removeprefix('/')}")
    options: dict[str, Any] = {"ssl": True} if tls else {}
    user, _, password = credentials.partition(":") if at else ("", "", "")
    user = unquote(user) or environ.get("EMOTION_REDIS_USERNAME", "")
    password = unquote(password) or environ.get("EMOTION_REDIS_PASSWORD", "")
    if user:
        options["username"] = user
    if password:
        options["password"] = password
    path = parts.path.strip("/")
    try:
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        databases = [query.pop("db", "")]
        for name, value in query.items():
            options[name] = _tls_option(name, value, tls)
        if kind == "unix":
            if host_list or not path:
                raise ValueError("it names no file, as in unix:///run/redis.sock")
            return RedisUrl("unix", (), f"/{path}", "", _database(databases), options)
        hosts = tuple(_host(text, _DEFAULT_PORT[kind]) for text in host_list.split(","))
        service, _, database = path.partition("/") if kind == "redis+sentinel" else ("", "", path)
        if kind == "redis+sentinel" and not service:
            raise ValueError("it names no service, as in redis+sentinel://host:26379/mymaster")
        number = _database([*databases, database])
        if kind == "redis+cluster" and number:
            raise ValueError("a cluster has no database but 0")
        return RedisUrl(kind, hosts, "", service, number, options)
    except ValueError as error:
        raise InvalidRedisUrl(f"{redact_url(url)!r} is no Redis URL: {error}") from None


def connect(url: str) -> Client:
    """An asyncio client for the URL; nothing is sent yet. Raises InvalidRedisUrl."""
    return _connect(url, _ASYNC)


def connect_sync(url: str) -> Client:
    """As `connect`, for code that runs in threads. A cluster is contacted at once, and
    RedisClusterException raised where it cannot be reached."""
    return _connect(url, _SYNC)


class _AsyncSentinelPool(AsyncSentinelConnectionPool):
    """Closes the sentinels' connections too: redis-py leaves them to the garbage collector."""

    async def aclose(self) -> None:
        await super().aclose()
        for sentinel in self.sentinel_manager.sentinels:
            await sentinel.aclose()


class _SentinelPool(SentinelConnectionPool):
    """As _AsyncSentinelPool."""

    def close(self) -> None:
        super().close()
        for sentinel in self.sentinel_manager.sentinels:
            sentinel.close()


class _AsyncCluster(AsyncRedisCluster):
    """Asks the node that failed for the cluster's layout last. redis-py asks for it after each
    failure, any node, while all other commands wait: one that hangs would hold them up again and
    again."""

    async def initialize(
        self,
        additional_startup_nodes_info: list[tuple[str, int]] | None = None,
        last_failed_node_name: str | None = None,
    ) -> "_AsyncCluster":
        # redis-py moves it there.
        last = next(reversed(self.nodes_manager.startup_nodes), None)
        await super().initialize(additional_startup_nodes_info, last_failed_node_name or last)
        return self


class _Kit(NamedTuple):
    """redis-py's classes for one way of waiting. Any: some are untyped, and the pairs differ."""

    redis: Any
    cluster: Any
    node: Any
    sentinel: Any
    sentinel_pool: Any
    retry: Any


_ASYNC: Final = _Kit(
    redis.asyncio.Redis,
    _AsyncCluster,
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
        "socket_read_size": _READ_SIZE,
        "max_connections": _MAX_CONNECTIONS,
        # Whether a command may be sent twice is known only to who sends it.
        "retry": kit.retry(NoBackoff(), 0),
    }
    if parsed.kind == "redis+cluster":
        nodes = [kit.node(host, port) for host, port in parsed.hosts]
        return kit.cluster(startup_nodes=nodes, **options)
    if parsed.kind == "redis+sentinel":
        # Sentinels have users of their own, or none.
        secrets = {"username", "password"}
        watching = {name: value for name, value in options.items() if name not in secrets}
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


def redact(text: str) -> str:
    """The text without the credentials of the URLs in it: `***` for every `user:password@`, for all
    that stands in the query and the fragment of a camera's URL, for the value of parameters whose
    name speaks of a secret, and for what `keep_secret` was told."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    text = _CAMERA_QUERY.sub(r"\1***", _CREDENTIALS.sub(r"\1***@", text))
    return _SECRET_PARAMETERS.sub(r"\1***", text)


def redact_url(text: str) -> str:
    """As `redact`, of a text that is one URL, or an option with one (`--source=rtsp://...`):
    whatever blanks or quotes its password may hold."""
    start, separator, rest = text.partition("://")
    _, at, rest = rest.rpartition("@")
    hidden = _QUERY.sub(r"\1***", rest)
    return redact(f"{start}{separator}{'***@' if at else ''}{hidden}")


def brief(error: BaseException) -> str:
    """A failure of Redis in a few words; redis-py spells a whole client out in some."""
    return redact(_CLIENT.sub("", str(error)) or type(error).__name__)


_CLIENT: Final = re.compile(r"\s*:?\s*<redis\..*", re.DOTALL)


def keep_secret(text: str) -> None:
    """From now on `redact` replaces this text wherever it stands in this process' words. Texts of
    less than four characters would replace much else, and are left to the patterns."""
    if len(text) >= _LEAST_SECRET:
        _secrets.add(text)


def known_secrets() -> list[str]:
    """What `keep_secret` was told, for another process of ours to keep as well."""
    return sorted(_secrets)


_secrets: set[str] = set()
_LEAST_SECRET: Final = 4

# Greedy up to the last @ of the authority: passwords may hold an @.
_CREDENTIALS: Final = re.compile(r"([a-z][a-z0-9+.-]*://)[^\s'\"]*@", re.IGNORECASE)
_QUERY: Final = re.compile(r"([?#]).+", re.DOTALL)
# Every camera has its own words for a password there.
_CAMERA_QUERY: Final = re.compile(
    r"((?:rtsp|http)s?://[^\s'\"?#]*[?#])[^\s'\"]*[^\s'\":]", re.IGNORECASE
)
_SECRET_PARAMETERS: Final = re.compile(
    r"([/_?&;][^=&\s]*(?:pass|pwd|token|secret|auth|key|user)[^=&\s]*=)[^&\s'\"]+", re.IGNORECASE
)


def _tls_option(name: str, value: str, tls: bool) -> str:
    if name not in _TLS_OPTIONS:
        known = ", ".join(("db", *_TLS_OPTIONS))
        raise ValueError(f"after the ? may stand {known}, not {name}")
    if not tls:
        raise ValueError(f"{name} needs rediss://")
    if name == "ssl_cert_reqs" and value not in ("none", "optional", "required"):
        raise ValueError(f"ssl_cert_reqs is none, optional or required, not {value}")
    return value


def _database(given: list[str]) -> int:
    """The number of the database, where it was given at all; 0 otherwise."""
    for text in filter(None, given):
        if not (text.isascii() and text.isdecimal()):
            raise ValueError(f"{text!r} is no number of a database")
        return int(text)
    return 0


def _host(text: str, default_port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("a host is missing")
    return parts.hostname, parts.port or default_port
