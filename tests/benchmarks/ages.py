"""How old events are when a subscriber has them."""

import threading
import time
from typing import Any

from emotion_streams import keys
from emotion_streams.connection import connect_sync
from tests.benchmarks.system import System


class Ages:
    """How old events are as they arrive at a subscriber of all cameras."""

    def __init__(self, system: System) -> None:
        self._client = connect_sync(system.url)
        self._after: dict[str, Any] = {keys.emotions(camera): "$" for camera in system.cameras}
        self._ages_ms: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._ages_ms)

    def clear(self) -> None:
        """Forget those so far."""
        self._ages_ms.clear()

    def close(self) -> list[float]:
        """Read no more; the ages in milliseconds, in the order of the events."""
        self._stop.set()
        self._thread.join()
        self._client.close()
        return self._ages_ms

    def _read(self) -> None:
        while not self._stop.is_set():
            reply = self._client.xread(self._after, block=200)
            now_ms = time.time() * 1000
            for stream, entries in reply or ():
                for entry_id, _ in entries:
                    self._after[stream.decode()] = entry_id
                    self._ages_ms.append(now_ms - int(entry_id.partition(b"-")[0]))
