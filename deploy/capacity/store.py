"""What the measurement reads from the private server, for many cameras at once."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from deploy.capacity.control import CAMERAS, SKIPPED
from deploy.capacity.tries import OWNED_WITHIN_S
from emotion_streams import keys
from emotion_streams.connection import Client
from emotion_streams.events import EmotionEvent
from emotion_streams.ledger import Ledger, ledger_script_args, parse_ledger

_POLL_S: Final = 0.2
_AT_ONCE: Final = 64
"""Cameras per pipeline, so that no reply takes too long."""


@dataclass(frozen=True)
class Account:
    """Sums over cameras at a moment, in frames.

    Stored; not stored in time by the load; analysed; ended without an event.
    """

    stored: int
    skipped: int
    analysed: int
    without_event: int


class Store:
    """Reads through a client of the private server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def load(self, names: Sequence[str]) -> None:
        """Let these cameras, the first ones of the load, store frames.

        The others are no longer registered: a worker prefers none of them, and releases them.
        """
        registered: list[bytes] = await self._client.zrange(keys.CAMERAS, 0, -1)
        if others := {name.decode() for name in registered} - set(names):
            await self._client.zrem(keys.CAMERAS, *others)
        await self._client.set(CAMERAS, len(names))

    async def end_load(self) -> None:
        """Let no camera store frames."""
        await self._client.set(CAMERAS, 0)

    async def owned(self, names: Sequence[str], within_s: float = OWNED_WITHIN_S) -> bool:
        """Wait until every camera has an owner; return whether that was so in time."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            expiries = await self._each(
                names, lambda pipe, name: pipe.hget(keys.lease(name), "expires_ms")
            )
            now_ms = time.time() * 1000
            if all(expiry and int(expiry) > now_ms for expiry in expiries):
                return True
            await asyncio.sleep(_POLL_S)
        return False

    async def drained(self, names: Sequence[str], within_s: float) -> bool:
        """Drop the frames that no worker has read, until all others have ended.

        They would delay the frames of the next try. Returns whether none was left in time.
        """
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            await asyncio.sleep(_POLL_S)  # also for what the load is about to store
            await self._each(names, lambda pipe, name: pipe.xtrim(keys.frames(name), maxlen=0))
            ledgers = await self._ledgers(names)
            if not any(ledger.pending or ledger.queued for ledger in ledgers):
                return True
        return False

    async def newest(self, names: Sequence[str]) -> dict[str, bytes]:
        """Return the id of each camera's newest event."""
        replies = await self._each(
            names, lambda pipe, name: pipe.xrevrange(keys.emotions(name), count=1)
        )
        return {
            name: reply[0][0] if reply else b"0" for name, reply in zip(names, replies, strict=True)
        }

    async def events(self, after: dict[str, bytes], until: dict[str, bytes]) -> list[EmotionEvent]:
        """Return each camera's events after the one id, up to the other."""
        replies = await self._each(
            list(after),
            lambda pipe, name: pipe.xrange(keys.emotions(name), b"(" + after[name], until[name]),
        )
        return [
            EmotionEvent.unpack(fields[b"event"]) for entries in replies for _, fields in entries
        ]

    async def account(self, names: Sequence[str]) -> Account:
        """Return the cameras' account."""
        ledgers = await self._ledgers(names)
        return Account(
            sum(ledger.added for ledger in ledgers),
            int(await self._client.get(SKIPPED) or 0),
            sum(ledger.analysed for ledger in ledgers),
            sum(map(_without_event, ledgers)),
        )

    async def _ledgers(self, names: Sequence[str]) -> list[Ledger]:
        replies = await self._each(
            names, lambda pipe, name: pipe.eval_ro(*ledger_script_args(name))
        )
        return [parse_ledger(name, reply) for name, reply in zip(names, replies, strict=True)]

    async def _each(self, names: Sequence[str], command: Any) -> list[Any]:
        """Return the reply to the command for each camera."""
        replies: list[Any] = []
        for first in range(0, len(names), _AT_ONCE):
            async with self._client.pipeline(transaction=False) as pipe:
                for name in names[first : first + _AT_ONCE]:
                    command(pipe, name)
                replies += await pipe.execute()
        return replies


def _without_event(ledger: Ledger) -> int:
    return ledger.expired + ledger.superseded + ledger.dead + ledger.lost + ledger.trimmed
