"""The registry of cameras: their names, with the times of their producers' last heartbeats."""

import time
from contextlib import suppress
from typing import Final

from emotion_streams import keys
from emotion_streams.connection import Client

MAX_CAMERAS: Final = 4_096
"""Maximum number of cameras read from the registry: those of which a frame was analysed, then those
with the latest heartbeats."""

MAX_CAMERAS_PER_WORKER: Final = 400
"""Maximum number of cameras of a worker. Each may hold two connections, one to read and one to
commit. The rest of the client's connections, and of the usual 1,024 descriptors, is for leases."""

_MAX_AHEAD_MS: Final = 60_000
"""How far in the future a heartbeat may lie. Producers date heartbeats by the clock of Redis. A
later date is ignored: the camera would seem alive until then."""


async def registered(client: Client, now_ms: float | None = None) -> dict[str, float]:
    """Return at most MAX_CAMERAS cameras of the registry, with the time of the last heartbeat.

    Cameras of which a frame was analysed come before all others, so that no number of new names
    hides a camera that works. The time is in Unix milliseconds; 0 for a time too far after `now_ms`
    (this machine's clock if None). Invalid names are skipped: any producer may write to this key,
    and a bad entry must not break readers.
    """
    now_ms = time.time() * 1000 if now_ms is None else now_ms
    latest = latest_heartbeat(now_ms)
    analysed: list[tuple[bytes, float]] = await client.zinter(
        {keys.ANALYSED: 0, keys.CAMERAS: 1}, withscores=True
    )
    scores = {
        name: heartbeat_ms if heartbeat_ms <= latest else 0.0 for name, heartbeat_ms in analysed
    }
    for name, heartbeat_ms in await _newest(client, latest):
        if len(scores) >= MAX_CAMERAS:
            break
        scores.setdefault(name, heartbeat_ms)
    cameras = {}
    for name, heartbeat_ms in sorted(scores.items()):
        with suppress(ValueError):  # also bytes that are not UTF-8
            cameras[keys.check_camera(name.decode())] = heartbeat_ms
    return cameras


def latest_heartbeat(now_ms: float) -> int:
    """Return the latest time of a heartbeat that is believed at `now_ms`, in Unix milliseconds."""
    return round(now_ms) + _MAX_AHEAD_MS


async def _newest(client: Client, latest: int) -> list[tuple[bytes, float]]:
    """Return the names with the latest heartbeats, then those with a heartbeat after `latest`."""
    names: list[tuple[bytes, float]] = await client.zrange(
        keys.CAMERAS, latest, "-inf",
        byscore=True, desc=True, offset=0, num=MAX_CAMERAS, withscores=True,
    )  # fmt: skip
    if room := MAX_CAMERAS - len(names):
        future: list[bytes] = await client.zrange(
            keys.CAMERAS, f"({latest}", "+inf", byscore=True, offset=0, num=room
        )
        names += [(name, 0.0) for name in future]
    return names
