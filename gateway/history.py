"""The last minutes of every camera by the second, for the page's charts."""

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from emotion_streams import EMOTIONS, EmotionEvent
from emotion_streams.stream_id import ZERO, StreamId
from gateway.published import Published

SPAN_S: Final = 300


def now_ms() -> int:
    """Return Unix milliseconds by the gateway's own clock."""
    return time.time_ns() // 1_000_000


@dataclass
class Second:
    """Sums over the events of one second; `counts` and `sums` follow EMOTIONS."""

    at: int
    events: int = 0
    faces: int = 0
    total_ms: float = 0
    counts: list[int] = field(default_factory=lambda: [0] * len(EMOTIONS))
    sums: list[float] = field(default_factory=lambda: [0.0] * len(EMOTIONS))

    def add(self, event: EmotionEvent) -> None:
        """Add the event to the sums."""
        self.events += 1
        self.faces += len(event.faces)
        self.total_ms += event.latency.total_ms
        for face in event.faces:
            self.counts[EMOTIONS.index(face.emotion)] += 1
            for index, emotion in enumerate(EMOTIONS):
                self.sums[index] += face.probabilities[emotion]

    def to_dict(self) -> dict[str, Any]:
        """Return the second as the API shows it: means instead of sums."""
        return {
            "at": self.at,
            "events": self.events,
            "faces": self.faces,
            "latency_ms": round(self.total_ms / self.events, 1),
            "counts": self.counts,
            "means": [round(total / self.faces, 4) if self.faces else 0.0 for total in self.sums],
        }


class History:
    """Keeps SPAN_S seconds per camera, in memory only: about 100 kB each.

    They are counted back from the camera's newest event, because ids are by the producer's clock,
    which may be wrong.
    """

    def __init__(self, now_ms: Callable[[], int] = now_ms) -> None:
        self._now_ms = now_ms
        self._seconds: dict[str, deque[Second]] = {}
        self._last: dict[str, StreamId] = {}
        self._arrived_ms: dict[str, int] = {}

    def add(self, item: Published, live: bool = True) -> None:
        """Count the event into the second of its id, the time of its frame's capture.

        `live`: it arrived just now. The arrival of other events is estimated from their ids.
        """
        event = item.event
        at = item.position.ms // 1000
        seconds = self._seconds.setdefault(event.camera, deque())
        if not seconds or seconds[-1].at < at:
            seconds.append(Second(at))
        seconds[-1].add(event)
        self._last[event.camera] = item.position
        now_ms = self._now_ms()
        self._arrived_ms[event.camera] = now_ms if live else min(item.position.ms, now_ms)
        while seconds[0].at <= at - SPAN_S:
            seconds.popleft()

    def of(self, camera: str, span_s: int) -> Iterable[Second]:
        """Return the camera's seconds up to its newest event, oldest first.

        Seconds without an event are missing.
        """
        since = self.last(camera).ms // 1000 - span_s
        return (second for second in self._seconds.get(camera, ()) if second.at > since)

    def last(self, camera: str) -> StreamId:
        """Return the id of the newest event in the history; viewers add later ones themselves."""
        return self._last.get(camera, ZERO)

    def age_ms(self, camera: str) -> int:
        """Return the time since that event arrived; 0 before the first."""
        now_ms = self._now_ms()
        return now_ms - self._arrived_ms.get(camera, now_ms)

    def keep(self, cameras: Collection[str]) -> None:
        """Remove every other camera."""
        for camera in self._seconds.keys() - set(cameras):
            del self._seconds[camera], self._last[camera], self._arrived_ms[camera]
