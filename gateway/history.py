"""The last minutes of every camera by the second, for the page's charts."""

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from emotion_streams import EMOTIONS, EmotionEvent, Face
from emotion_streams.emotions import UNCERTAIN, Label
from emotion_streams.stream_id import ZERO, StreamId
from gateway.published import Published

SPAN_S: Final = 302
"""Five minutes, and the seconds of which only a part lies in them."""

_MIN_SIDE: Final = 14
"""Side in pixels below which the page calls a face without a track uncertain (static/faces.js)."""


def now_ms() -> int:
    """Return Unix milliseconds by the gateway's own clock."""
    return time.time_ns() // 1_000_000


def label_of(face: Face) -> Label:
    """Return what the page shows of a face: its steady label, or this frame's without a track."""
    if face.label is not None:
        return face.label
    side = max(face.box.width, face.box.height)
    return UNCERTAIN if side < _MIN_SIDE else face.emotion


@dataclass
class Second:
    """Sums over the events of one second; `counts` and `sums` follow EMOTIONS.

    `people`: sum of the people in view over the events. People are tracks; in an event whose faces
    have none, faces. A track that some frames between two of its sightings missed was in view in
    these, too; `last_seen` has the number of the event that saw it last. `counts`: faces by label,
    without those that are uncertain. `sums`: of the smoothed probabilities, if a face has them.
    """

    at: int
    events: int = 0
    faces: int = 0
    people: int = 0
    total_ms: float = 0
    counts: list[int] = field(default_factory=lambda: [0] * len(EMOTIONS))
    sums: list[float] = field(default_factory=lambda: [0.0] * len(EMOTIONS))
    last_seen: dict[str, int] = field(default_factory=dict)

    def add(self, event: EmotionEvent) -> None:
        """Add the event to the sums."""
        self.events += 1
        self.faces += len(event.faces)
        self.people += self._count_people(event)
        self.total_ms += event.latency.total_ms
        for face in event.faces:
            if (label := label_of(face)) != UNCERTAIN:
                self.counts[EMOTIONS.index(label)] += 1
            shares = face.smoothed or face.probabilities
            for index, emotion in enumerate(EMOTIONS):
                self.sums[index] += shares[emotion]

    def _count_people(self, event: EmotionEvent) -> int:
        tracks = {face.track for face in event.faces if face.track}
        before = self.events - 1
        people = sum(self.events - self.last_seen.get(track, before) for track in tracks)
        self.last_seen |= dict.fromkeys(tracks, self.events)
        return people if tracks else len(event.faces)

    def to_dict(self) -> dict[str, Any]:
        """Return the second as the API shows it: means instead of sums."""
        return {
            "at": self.at,
            "events": self.events,
            "faces": self.faces,
            "people": round(self.people / self.events, 3),
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
            if seconds:
                seconds[-1].last_seen = {}
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
