"""A watch on the events as they come, which trusts no process."""

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

from emotion_streams import keys
from emotion_streams.backoff import REDIS_ERRORS
from emotion_streams.connection import Client
from emotion_streams.events import EmotionEvent
from tests.servers import eventually

_EVERY_S: Final = 0.1


class Watch:
    """Reads the events of cameras as they are published, also when a stream restarts, and compares
    each with all that were seen before.

    `duplicates`: events of a frame that had one already, found by its id or by its capture time: no
    two frames of a camera share either. `repeated`: those among them of cameras of which Redis was
    losing data, which is not promised to leave none. `violations`: ids of other events that are not
    greater than those before. None of them is ever taken back. `evidence` describes the duplicates
    and violations until it is taken. `gap_s`: the longest time without an event of each camera,
    while it was fed.
    """

    def __init__(self, connect: Callable[[], Client]) -> None:
        self.duplicates = 0
        self.repeated = 0
        self.violations = 0
        self.evidence: list[str] = []
        self.events = 0
        self.gap_s: dict[str, float] = {}
        self.last: dict[str, tuple[int, int]] = {}
        self._last_at: dict[str, float] = {}
        self._seen: dict[str, dict[str | int, EmotionEvent]] = {}
        self._losing: frozenset[str] = frozenset()
        self._rounds = 0
        self._cursor: dict[str, str] = {}
        self._added: dict[str, int] = {}
        self._cameras: set[str] = set()
        self._connect = connect
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def follow(self, *cameras: str) -> None:
        """Watch these too, and count their gaps from now on."""
        with self._lock:
            self._cameras |= set(cameras)
            self._last_at.update(dict.fromkeys(cameras, time.monotonic()))

    def no_gaps(self) -> None:
        """Cameras rest: the time from here to the next follow() is not a gap."""
        with self._lock:
            self._last_at.clear()

    def catch_up(self) -> None:
        """Returns when all events that are out by now are counted."""
        begun = self._rounds + 1
        eventually(lambda: self._rounds > begun)

    @contextmanager
    def losing_data(self, cameras: Collection[str]) -> Iterator[None]:
        """Redis loses data of these cameras meanwhile."""
        self._losing = frozenset(cameras)
        yield
        self.catch_up()
        self._losing = frozenset()

    def take_evidence(self) -> list[str]:
        """What was not as promised since the last call, so that each fault answers for its own."""
        with self._lock:
            evidence, self.evidence = self.evidence, []
        return evidence

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        client: Client | None = None
        while not self._stop.wait(_EVERY_S):
            try:
                client = client or self._connect()
                for camera in tuple(self._cameras):
                    self._look(client, camera)
                self._rounds += 1
            except REDIS_ERRORS:
                continue
        if client:
            client.close()

    def _look(self, client: Client, camera: str) -> None:
        key = keys.emotions(camera)
        if not client.exists(key):
            return
        added = client.xinfo_stream(key)["entries-added"]
        if added < self._added.get(camera, 0):  # another stream than before: all of it is new
            self._cursor.pop(camera, None)
        entries: list[Any] = client.xrange(key, f"({self._cursor.get(camera, '0-0')}", "+")
        with self._lock:
            self._added[camera] = added
            for entry_id, fields in entries:
                self._cursor[camera] = entry_id.decode()
                self._note(camera, entry_id.decode(), EmotionEvent.unpack(fields[b"event"]))

    def _note(self, camera: str, entry_id: str, event: EmotionEvent) -> None:
        assert (event.camera, event.frame_id) == (camera, entry_id)
        milliseconds, _, number = entry_id.partition("-")
        this = int(milliseconds), int(number)
        seen = self._seen.setdefault(camera, {})
        before = seen.get(entry_id) or seen.get(event.captured_ms)
        if before == event:  # the same, read again: the stream had restarted
            return
        if before is None and this <= (last := self.last.get(camera, (0, 0))):
            self.violations += 1
            self.evidence.append(f"{entry_id} came after {last}: {event}")
        elif before and camera in self._losing:
            self.repeated += 1
        elif before:
            self.duplicates += 1
            self.evidence.append(f"{event} after {before}")
        seen |= {entry_id: event, event.captured_ms: event}
        self.events += 1
        self.last[camera] = max(this, self.last.get(camera, (0, 0)))
        now = time.monotonic()
        if camera in self._last_at:
            self.gap_s[camera] = max(self.gap_s.get(camera, 0.0), now - self._last_at[camera])
            self._last_at[camera] = now
