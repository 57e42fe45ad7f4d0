"""Whether Redis writes the frames it holds to disk. Ours never does; somebody's own might."""

import logging
from typing import Final

from redis.exceptions import ResponseError

from emotion_streams.backoff import retry_forever
from emotion_streams.connection import Client

# Asked first, since a command that is refused stands in the server's log of refusals.
_MAY_ASK: Final = "return redis.acl_check_cmd('config', 'get', 'save') and 1 or 0"

log = logging.getLogger(__name__)


async def warn_if_kept(client: Client) -> None:
    """Warn where the server's settings write frames to disk. Says nothing where this user may not
    read them. Waits for a server that is away."""

    async def kept() -> str | None:
        try:
            return await _kept(client)
        except ResponseError:  # a service without CONFIG, or older than acl_check_cmd
            return None

    if settings := await retry_forever(kept):
        log.warning(
            "Redis writes what it holds to disk (%s), and so pictures of faces: "
            'set save "" and appendonly no',
            settings,
        )


async def _kept(client: Client) -> str | None:
    if not await client.register_script(_MAY_ASK)():
        return None
    save = _text(await client.config_get("save"))
    append_only = _text(await client.config_get("appendonly"))
    if not save and append_only != "yes":
        return None
    return f'save "{save}", appendonly {append_only}'


def _text(settings: dict[bytes | str, bytes | str]) -> str:
    """The value of the one setting asked for; redis-py decodes it or not by protocol."""
    (value,) = settings.values()
    return value.decode() if isinstance(value, bytes) else value
