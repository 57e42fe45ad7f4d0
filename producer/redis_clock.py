"""The clock of the Redis server, by which frames are stamped."""

import time
from collections.abc import Callable
from typing import Final

from emotion_streams.connection import Client

SYNC_EVERY_S: Final = 1.0
"""Interval between readings of Redis' clock."""


def _boot_time_s() -> float:
    """Return the seconds since boot. This clock is never set, and includes suspension."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class RedisClock:
    """Redis' time without a request for each reading. Synchronised by one thread, read by any.

    Between two readings of Redis' clock, the time since boot is counted. This machine's time of day
    is never used. `clock` returns the time since boot in seconds.
    """

    def __init__(self, clock: Callable[[], float] = _boot_time_s) -> None:
        self._clock = clock
        self._offset_s: float | None = None
        self._synced_s = 0.0

    @property
    def is_due(self) -> bool:
        """Whether the last `sync` is older than SYNC_EVERY_S, or there was none."""
        return self._offset_s is None or self._clock() - self._synced_s >= SYNC_EVERY_S

    def sync(self, client: Client) -> None:
        """Read Redis' clock. Raises the errors of redis-py."""
        sent_s = self._clock()
        seconds, microseconds = client.time()
        received_s = self._clock()
        redis_s = seconds + microseconds / 1_000_000
        # Redis read its clock at some moment in between. So a slow reply changes an offset only if
        # that offset cannot be right.
        least, most = redis_s - received_s, redis_s - sent_s
        offset_s = (least + most) / 2 if self._offset_s is None else self._offset_s
        self._offset_s = min(max(offset_s, least), most)
        self._synced_s = received_s

    def unix_ms(self, age_s: float) -> int | None:
        """Return the Unix time in milliseconds of what happened `age_s` seconds ago.

        None before the first `sync`.
        """
        if self._offset_s is None:
            return None
        return int((self._clock() + self._offset_s - age_s) * 1000)
