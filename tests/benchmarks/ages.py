"""How old events are when a subscriber has them."""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from statistics import quantiles
from typing import Any, Final

from emotion_streams import keys
from emotion_streams.connection import connect
from tests.benchmarks.background import Background
from tests.benchmarks.system import System
from tests.servers import eventually

_LAST_MAY_TAKE_S: Final = 60.0


class Ages:
    """How old events are as they arrive at a subscriber of all cameras."""

    def __init__(self, system: System) -> None:
        self.client = connect(system.url)
        self._streams = [keys.emotions(camera) for camera in system.cameras]
        self._ages_ms: list[float] = []
        self._read = 0
        with self.client.pipeline(transaction=True) as pipe:
            for stream in self._streams:
                pipe.xrevrange(stream, count=1).xlen(stream)
            reply: list[Any] = pipe.execute()
        # Not "$", which is the end at each call: what comes between two of them would be missed.
        newest = [entries[0][0] if entries else "0" for entries in reply[::2]]
        self._after: dict[str, Any] = dict(zip(self._streams, newest, strict=True))
        self._before: int = sum(reply[1::2])
        self._reading = Background(self._follow)

    def __len__(self) -> int:
        return len(self._ages_ms)

    def clear(self) -> None:
        """Forget those so far."""
        self._ages_ms.clear()

    def close(self) -> list[float]:
        """Read what is published by now, and no more; the ages in milliseconds, in the order of
        the events. Raises what ended the reading early, RuntimeError where events are missing."""
        published = self._published()
        with suppress(AssertionError):  # then it says so below, or why
            eventually(
                lambda: self._read >= published or not self._reading.running, _LAST_MAY_TAKE_S
            )
        self._reading.close()
        self.client.close()
        if self._read < published:
            raise RuntimeError(f"{self._read} of {published} events came to the subscriber")
        return self._ages_ms

    def _published(self) -> int:
        with self.client.pipeline(transaction=True) as pipe:
            for stream in self._streams:
                pipe.xlen(stream)
            stored: list[int] = pipe.execute()
        return sum(stored) - self._before

    def _follow(self, stop: threading.Event) -> None:
        while not stop.is_set():
            reply: Any = self.client.xread(self._after, block=200)
            now_ms = time.time() * 1000
            for stream, entries in reply or ():
                for entry_id, _ in entries:
                    self._after[stream.decode()] = entry_id
                    self._ages_ms.append(now_ms - int(entry_id.partition(b"-")[0]))
                    self._read += 1


def percentiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The 50th, 95th and 99th. RuntimeError for less than two values."""
    if len(values) < 2:
        raise RuntimeError(f"{len(values)} events came: too few to tell anything")
    cuts = quantiles(values, n=100, method="inclusive")
    return cuts[49], cuts[94], cuts[98]
