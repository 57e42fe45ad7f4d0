"""Which cameras a command is about."""

import sys
from contextlib import suppress
from typing import Any

from emotion_streams import keys
from emotion_streams.backoff import REDIS_ERRORS
from emotion_streams.connection import Client, connect_async
from emotion_streams.registry import registered
from emotion_streams.stream_kinds import StreamKind


class UnknownCameraError(Exception):
    """Redis does not know the named camera; the text lists the cameras that it knows."""


async def known_cameras(client: Client, named: list[str]) -> list[str]:
    """Return the named cameras, or all if none is named. Raises UnknownCameraError.

    A camera that is gone is known while Redis keeps its ledger or its dead letters.
    """
    cameras = list(await registered(client))
    for name in named:
        left = (keys.ledger(keys.check_camera(name)), keys.dead(name))
        if name not in cameras and not await client.exists(*left):
            raise UnknownCameraError(_unknown(name, cameras))
    return named or cameras


async def cameras_with(client: Client, kind: StreamKind[Any], named: list[str]) -> list[str]:
    """Return the named cameras, or all if none is named. Raises UnknownCameraError.

    A camera that is gone is known while Redis keeps entries of its stream. This needs fewer rights
    than `known_cameras`.
    """
    cameras = list(await registered(client))
    for name in named:
        key = kind.key(keys.check_camera(name))
        if name not in cameras and not await client.xrange(key, count=1):
            raise UnknownCameraError(_unknown(name, cameras))
    return named or cameras


async def warn_of_unknown(url: str, named: list[str]) -> None:
    """Report unknown camera names: a misspelt name would otherwise wait silently."""
    with suppress(*REDIS_ERRORS):  # the subscription waits for Redis, and logs that
        async with connect_async(url) as client:
            cameras = list(await registered(client))
        for name in named:
            if name not in cameras:
                unknown = _unknown(name, cameras)
                print(f"emotion-streams: {unknown}; waiting for it", file=sys.stderr)


def _unknown(name: str, cameras: list[str]) -> str:
    return f"no camera {name}; there are: {', '.join(cameras) or 'none'}"
