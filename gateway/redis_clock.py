"""Redis' clock, by which frames are stamped and records are dated, on a machine of another one."""

from collections.abc import Callable

from emotion_streams.connection import Client
from gateway.history import now_ms


class RedisClock:
    """The time by Redis' clock, as far as this machine's has kept up with it since `observe`."""

    def __init__(self, client: Client, own_ms: Callable[[], int] = now_ms) -> None:
        self._client = client
        self._own_ms = own_ms
        self._ahead_ms = 0

    async def observe(self) -> None:
        """Compare the clocks. Raises redis-py's errors."""
        seconds, microseconds = await self._client.time()
        self._ahead_ms = seconds * 1000 + microseconds // 1000 - self._own_ms()

    def now_ms(self) -> int:
        """Return Unix milliseconds."""
        return self._own_ms() + self._ahead_ms
