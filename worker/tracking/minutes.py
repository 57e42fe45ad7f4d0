"""Sums up minutes by capture time, weighted by time."""

from statistics import median
from typing import Final

from emotion_streams.emotions import EMOTIONS, UNCERTAIN, Emotion, Label
from emotion_streams.minutes import MINUTE_MS, Minute, People, people_mean
from worker.tracking.constants import BIRTH_MS, GAP_MS, MAX_DWELLS
from worker.tracking.episodes import by_emotion, means
from worker.tracking.parts import Eight, MinuteSums

_NUMBER: Final = {emotion: n for n, emotion in enumerate(EMOTIONS)}


class Summing:
    """A mutable copy of the minute under way, from `low_ms` on; it exists within one step only.

    `start_ms` is None if no frame has begun the minute yet.
    """

    def __init__(self, sums: MinuteSums, low_ms: int) -> None:
        self.start_ms = sums.start_ms
        self._low_ms = low_ms
        self._sums = sums
        self.frames, self.faces, self.faces_max = sums.frames, sums.faces, sums.faces_max
        self.people_max = sums.people_max
        self._people = 0
        self.seen_ms, self.faces_ms, self.face_ms = sums.seen_ms, sums.faces_ms, sums.face_ms
        self.tracks, self.entered, self.left = sums.tracks, sums.entered, sums.left
        self._emotion_ms, self._means = list(sums.emotion_ms), list(sums.sums)
        self._episodes, self._dwells = list(sums.episodes), list(sums.dwells)

    def begin(self, start_ms: int) -> None:
        """Begin the minute, with its first frame."""
        self.start_ms = start_ms
        self._low_ms = max(self._low_ms, start_ms)

    def contains(self, time_ms: int) -> bool:
        """Return whether a time lies in the minute."""
        return self.start_ms is not None and self._low_ms <= time_ms < self.start_ms + MINUTE_MS

    def see(self, from_ms: int, to_ms: int) -> None:
        """Count the time between two frames as seen, at most the gap."""
        duration_ms = self._part(from_ms, min(to_ms, from_ms + GAP_MS))
        self.seen_ms += duration_ms
        self.faces_ms += duration_ms * self.faces

    def count_frame(self, faces: int) -> None:
        """Count a frame and its faces, which are in view until the next one."""
        self.frames += 1
        self.faces = faces
        self.faces_max = max(self.faces_max, faces)

    def count_person(self) -> None:
        """Count a track that the frame shows.

        A track that the frame misses does not count: it may be the same person as a new one.
        """
        if self.start_ms is not None:
            self._people += 1
            self.people_max = max(self.people_max, self._people)

    def show(self, from_ms: int, to_ms: int, label: Label, smoothed: Eight) -> None:
        """Count a track's time between two sightings, under its label."""
        duration_ms = self._part(max(from_ms, to_ms - GAP_MS), to_ms)
        if duration_ms:
            self.face_ms += duration_ms
            if label != UNCERTAIN:
                self._emotion_ms[_NUMBER[label]] += duration_ms
            self._means = [a + duration_ms * b for a, b in zip(self._means, smoothed)]  # noqa: B905

    def start_episode(self, emotion: Emotion) -> None:
        """Count an emotion episode."""
        self._episodes[_NUMBER[emotion]] += 1

    def leave(self, dwell_ms: int) -> None:
        """Count a track that left."""
        self.left += 1
        if len(self._dwells) < MAX_DWELLS:
            self._dwells.append(dwell_ms)

    def frozen(self) -> MinuteSums:
        """Return the sums."""
        return MinuteSums(
            self.start_ms,
            self._sums.from_ms,
            self.frames,
            self._sums.frames_lost,
            self.seen_ms,
            self.faces,
            self.faces_ms,
            self.faces_max,
            self.people_max,
            self.tracks,
            self.entered,
            self.left,
            self.face_ms,
            tuple(self._emotion_ms),
            tuple(self._means),
            tuple(self._episodes),
            tuple(self._dwells),
        )

    def _part(self, from_ms: int, to_ms: int) -> int:
        """Return the part of a time that lies in this minute, in milliseconds."""
        if self.start_ms is None:
            return 0
        return max(0, min(to_ms, self.start_ms + MINUTE_MS) - max(from_ms, self._low_ms))


class Summaries:
    """The minute under way and, in a frame that begins another one, the minute that it ends.

    If the clock went back to before the minute under way, that minute is discarded: its times were
    wrong, and its record would keep all earlier minutes out of the stream.
    """

    def __init__(self, sums: MinuteSums, now_ms: int) -> None:
        self.over: Summing | None = None
        if sums.start_ms is not None and now_ms < sums.start_ms - MINUTE_MS:
            sums = MinuteSums(from_ms=sums.from_ms, faces=sums.faces)
        if sums.start_ms is not None and now_ms >= sums.start_ms + MINUTE_MS:
            self.over = Summing(sums, sums.start_ms)
            sums = following(sums)
        self._low_ms = max(sums.from_ms, sums.start_ms or 0)
        self.now = Summing(sums, self._low_ms)

    def add_frame(self, last_ms: int, now_ms: int, faces: int) -> None:
        """Count a frame, and the time since the last one; its minute begins if none is under way.

        A frame that is older than the minute by more than the gap counts in none: its minute is
        closed.
        """
        counts = self._low_ms - now_ms <= GAP_MS
        if counts and self.now.start_ms is None:
            self.now.begin(max(now_ms, self._low_ms) // MINUTE_MS * MINUTE_MS)
        for each in self._both():
            each.see(last_ms, now_ms)
        if counts:
            self.now.count_frame(faces)

    def closed(self, camera: str, min_people: int) -> tuple[Minute, ...]:
        """Return the record of the minute that the frame ended, if it did."""
        return (close(camera, self.over.frozen(), min_people),) if self.over else ()

    def show(self, from_ms: int, to_ms: int, label: Label, smoothed: Eight) -> None:
        """Count a track's time between two sightings in the minutes that it lies in."""
        for each in self._both():
            each.show(from_ms, to_ms, label, smoothed)

    def _both(self) -> tuple[Summing, ...]:
        return (self.over, self.now) if self.over else (self.now,)


def following(sums: MinuteSums) -> MinuteSums:
    """Return the sums after the minute under way is closed."""
    assert sums.start_ms is not None
    return MinuteSums(from_ms=sums.start_ms + MINUTE_MS, faces=sums.faces)


def close(camera: str, sums: MinuteSums, min_people: int) -> Minute:
    """Return the record of the minute under way."""
    assert sums.start_ms is not None
    coverage = min(1.0, sums.seen_ms / MINUTE_MS)
    return Minute(
        camera=camera,
        start_ms=sums.start_ms,
        frames=sums.frames,
        frames_lost=sums.frames_lost,
        coverage=coverage,
        people=_people(sums, coverage) if sums.people_max >= min_people else None,
    )


def _people(sums: MinuteSums, coverage: float) -> People:
    faces_mean = sums.faces_ms / sums.seen_ms if sums.seen_ms else float(sums.faces_max)
    is_too_slow = not sums.tracks and sums.seen_ms > sums.frames * BIRTH_MS
    mean = by_emotion(means(sums.sums, sums.face_ms, ())) if sums.face_ms else None
    return People(
        people_mean=people_mean(faces_mean, sums.tracks, sums.face_ms, coverage),
        people_max=sums.faces_max if is_too_slow else sums.people_max,
        faces_mean=faces_mean,
        faces_max=sums.faces_max,
        tracks=sums.tracks,
        entered=sums.entered,
        left=sums.left,
        face_ms=sums.face_ms,
        emotion_ms=by_emotion(sums.emotion_ms),
        probabilities_mean=mean,
        episodes=by_emotion(sums.episodes),
        dwell_ms_p50=round(median(sums.dwells)) if sums.dwells else None,
    )
