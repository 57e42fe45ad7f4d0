"""Whether the settings of Redis suit the frames: not written to disk, not evicted."""

import logging
from typing import Final

from redis.exceptions import ResponseError

from emotion_streams.backoff import retry_forever
from emotion_streams.connection import Client

# Asked first, since a command that is refused stands in the server's log of refusals.
_MAY_ASK: Final = "return redis.acl_check_cmd('config', 'get', 'save') and 1 or 0"

log = logging.getLogger(__name__)


async def warn_if_kept(client: Client) -> None:
    """Warn if the server's settings write frames to disk, or let it evict keys.

    Says nothing if this user may not read them. Waits for a server that is away.
    """

    async def unsuitable() -> list[str]:
        try:
            return await _unsuitable(client)
        except ResponseError:  # a service without CONFIG, or older than acl_check_cmd
            return []

    for warning in await retry_forever(unsuitable):
        log.warning("%s", warning)


async def _unsuitable(client: Client) -> list[str]:
    if not await client.register_script(_MAY_ASK)():
        return []
    warnings = []
    save = _text(await client.config_get("save"))
    append_only = _text(await client.config_get("appendonly"))
    if save or append_only == "yes":
        warnings.append(
            f'Redis writes what it holds to disk (save "{save}", appendonly {append_only}), and so '
            'pictures of faces: set save "" and appendonly no'
        )
    policy = _text(await client.config_get("maxmemory-policy"))
    # Our keys have no expiry: the policies that evict only keys which have one leave them alone.
    if policy.startswith("allkeys-"):
        warnings.append(
            f"Redis evicts keys when its memory is full (maxmemory-policy {policy}): a camera then "
            "loses its frames, lease and ledger without a trace; set maxmemory-policy noeviction"
        )
    return warnings


def _text(settings: dict[bytes | str, bytes | str]) -> str:
    """Return the value of the only setting; redis-py decodes it depending on the protocol."""
    (value,) = settings.values()
    return value.decode() if isinstance(value, bytes) else value
