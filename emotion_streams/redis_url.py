"""Address and credentials of Redis: one URL format for every topology."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from emotion_streams.redaction import redact_url

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


class InvalidRedisUrlError(ValueError):
    """An invalid Redis URL; the text gives the reason and the expected form."""


@dataclass(frozen=True)
class RedisUrl:
    """A parsed URL.

    `hosts` holds one (host, port), or those of the cluster's nodes, or of the sentinels.
    `sentinel_options` holds the sentinels' own user and password.
    """

    kind: str
    hosts: tuple[tuple[str, int], ...]
    path: str
    service: str
    database: int
    options: dict[str, Any]
    sentinel_options: dict[str, Any] = field(default_factory=dict)


def without_line_end(secret: str) -> str:
    """Return the secret without the line breaks at its end, as a secret from a file may have."""
    return secret.rstrip("\r\n")


def parse_url(url: str, environ: Mapping[str, str] = os.environ) -> RedisUrl:
    """Parse redis://, rediss:// (TLS), unix://, redis+cluster:// and redis+sentinel:// URLs.

    Several hosts are separated by commas; a sentinel URL's path is `/service` or `/service/db`.
    The query may hold `db`; with TLS also redis-py's options `ssl_ca_certs`, `ssl_certfile`,
    `ssl_keyfile` and `ssl_cert_reqs`; for sentinels also `sentinel_username` and
    `sentinel_password`. User and password come from the URL, else from EMOTION_REDIS_USERNAME and
    EMOTION_REDIS_PASSWORD. Those of the sentinels come from the URL, else from
    EMOTION_REDIS_SENTINEL_USERNAME and EMOTION_REDIS_SENTINEL_PASSWORD. Line breaks at their end
    are removed. Raises InvalidRedisUrlError, whose text holds no password.
    """
    try:
        url.encode()
    except UnicodeEncodeError:  # bytes of the command line or the environment
        raise InvalidRedisUrlError(f"{redact_url(url)!r} is not a Redis URL: not UTF-8") from None
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in _SCHEMES:
        raise InvalidRedisUrlError(
            f"{redact_url(url)!r} is not a Redis URL: it starts with one of "
            + ", ".join(sorted(f"{name}://" for name in _SCHEMES))
        )
    try:
        return _parse(scheme, rest, environ)
    except ValueError as error:
        raise InvalidRedisUrlError(f"{redact_url(url)!r} is not a Redis URL: {error}") from None


def _parse(scheme: str, rest: str, environ: Mapping[str, str]) -> RedisUrl:
    tls = scheme.startswith("rediss")
    kind = scheme.replace("rediss", "redis", 1)
    # urlsplit does not support lists of hosts, so they are split off first.
    authority = re.split("[/?]", rest, maxsplit=1)[0]
    credentials, at, host_list = authority.rpartition("@")
    parts = urlsplit(f"x://x/{rest.removeprefix(authority).removeprefix('/')}")
    options: dict[str, Any] = {"ssl": True} if tls else {}
    user, _, password = credentials.partition(":") if at else ("", "", "")
    options |= _credentials(unquote(user), unquote(password), environ, "EMOTION_REDIS")
    path = parts.path.strip("/")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    databases = [query.pop("db", "")]
    sentinel = {}
    if kind == "redis+sentinel":
        given = (query.pop("sentinel_username", ""), query.pop("sentinel_password", ""))
        sentinel = _credentials(*given, environ, "EMOTION_REDIS_SENTINEL")
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
    return RedisUrl(kind, hosts, "", service, number, options, sentinel)


def _credentials(
    user: str, password: str, environ: Mapping[str, str], prefix: str
) -> dict[str, str]:
    """Return redis-py's options for user and password from the URL, else from the environment."""
    given = {
        "username": without_line_end(user or environ.get(f"{prefix}_USERNAME", "")),
        "password": without_line_end(password or environ.get(f"{prefix}_PASSWORD", "")),
    }
    return {name: value for name, value in given.items() if value}


def _tls_option(name: str, value: str, tls: bool) -> str:
    if name not in _TLS_OPTIONS:
        known = ", ".join(("db", *_TLS_OPTIONS))
        raise ValueError(f"the query may hold {known}, not {name}")
    if not tls:
        raise ValueError(f"{name} needs rediss://")
    if name == "ssl_cert_reqs" and value not in ("none", "optional", "required"):
        raise ValueError(f"ssl_cert_reqs is none, optional or required, not {value}")
    return value


def _database(given: list[str]) -> int:
    """Return the database number, or 0 if none is given."""
    for text in filter(None, given):
        if not (text.isascii() and text.isdecimal()):
            raise ValueError(f"{text!r} is not the number of a database")
        return int(text)
    return 0


def _host(text: str, default_port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("a host is missing")
    return parts.hostname, parts.port or default_port
