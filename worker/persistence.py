"""Checks that Redis is configured for frames: it neither writes them to disk nor evicts them."""

import logging
from typing import Final

from redis.exceptions import ResponseError

from emotion_streams.backoff import retry_forever
from emotion_streams.connection import Client

# This is checked first, because the server logs each command that it denies (ACL LOG).
_MAY_ASK: Final = "return redis.acl_check_cmd('config', 'get', 'save') and 1 or 0"

log = logging.getLogger(__name__)


async def warn_if_persistent(client: Client) -> None:
    """Warn if the server's settings write frames to disk, or let it evict keys.

    Does not warn if this user may not read the settings. Waits until the server is reachable.
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
    # The project's keys have no expiry, so policies that evict only expiring keys do not affect
    # them.
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
