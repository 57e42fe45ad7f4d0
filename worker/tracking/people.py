"""What a frame makes of the people in view: they enter, are seen again, and leave."""

from typing import Final

from emotion_streams.emotions import EMOTIONS, UNCERTAIN, Label
from emotion_streams.episodes import EndReason, Episode
from worker.tracking import episodes
from worker.tracking.constants import UPDATE_MS
from worker.tracking.episodes import Moment
from worker.tracking.minutes import Summaries
from worker.tracking.parts import ZEROS, Eight, Person, Showing, Steady, Track
from worker.tracking.smoothing import begin, follow
from worker.tracking.types import Policy, Sighting

_NUMBER: Final = {emotion: n for n, emotion in enumerate(EMOTIONS)}
_NEVER: Final = -1


class People:
    """Applies one frame to people, and collects the records."""

    def __init__(self, at: Moment, policy: Policy, minutes: Summaries) -> None:
        self._at = at
        self._policy = policy
        self._minutes = minutes
        self.records: list[Episode] = []

    def enter(self, track: Track, sighting: Sighting, raw: Eight, raw_ms: int) -> Person:
        """Return the person of a track that was born."""
        now_ms = self._at.ms
        first_ms = max(0, min(track.first_ms, now_ms))
        steady = begin(sighting, raw, now_ms, raw_ms)
        duration_ms = now_ms - first_ms
        sums = tuple([duration_ms * value for value in steady.smoothed])
        self._minutes.show(first_ms, now_ms, UNCERTAIN, steady.smoothed)
        self._minutes.now.entered += 1
        if self._minutes.over and self._minutes.over.contains(first_ms):
            self._minutes.over.tracks += 1
        person = Person(
            id=track.id,
            first_ms=first_ms,
            last_ms=now_ms,
            frames=2,
            box=sighting.box,
            side_max=_side(sighting),
            sums=sums,
            emotion_ms=(0,) * len(EMOTIONS),
            next_number=1,
            counted_ms=self._count(_NEVER),
            steady=steady,
            showing=None,
        )
        self.records.append(episodes.entered(self._at, person))
        return person

    def see(self, before: Person, sighting: Sighting, raw: Eight, raw_ms: int) -> Person:
        """Return the person after a further sighting."""
        now_ms, last_ms, label = self._at.ms, before.last_ms, before.steady.label
        steady = follow(before.steady, sighting, raw, now_ms, last_ms, raw_ms)
        duration_ms = now_ms - last_ms
        emotion_ms = before.emotion_ms
        if label != UNCERTAIN:
            number = _NUMBER[label]
            emotion_ms = (
                *emotion_ms[:number], emotion_ms[number] + duration_ms, *emotion_ms[number + 1 :]
            )  # fmt: skip
        self._minutes.show(last_ms, now_ms, label, steady.smoothed)
        person = Person(
            before.id,
            before.first_ms,
            now_ms,
            before.frames + 1,
            sighting.box,
            max(before.side_max, _side(sighting)),
            _add(before.sums, duration_ms, steady.smoothed),
            emotion_ms,
            before.next_number,
            self._count(before.counted_ms),
            steady,
            before.showing,
        )
        if before.showing is None and steady.label == label:
            return person
        return self._show(person, duration_ms, label)

    def leave(self, person: Person, reason: EndReason) -> None:
        """Record that a person left."""
        self.records += episodes.left(self._at, person, reason)
        self._minutes.now.leave(person.last_ms - person.first_ms)

    def _show(self, person: Person, duration_ms: int, label: Label) -> Person:
        """Return the person with the emotion episode that its label asks for."""
        showing, steady, number = person.showing, person.steady, person.next_number
        if showing:
            showing = self._extended(showing, person, duration_ms)
            if steady.label != label:
                self.records.append(
                    episodes.ended(self._at, person, showing, self._at.ms, EndReason.CHANGED)
                )
                showing = None
            elif self._at.ms - showing.reported_ms >= UPDATE_MS:
                showing = showing._replace(reported_ms=self._at.ms)
                self.records.append(episodes.updated(self._at, person, showing))
        if steady.label != label and self._makes_episode(steady.label):
            showing = self._begin(person, steady)
            self.records.append(episodes.started(self._at, person, showing))
            self._minutes.now.start_episode(showing.emotion)
            number += 1
        return person._replace(showing=showing, next_number=number)

    def _makes_episode(self, label: Label) -> bool:
        return label != UNCERTAIN and (label != "neutral" or self._policy.neutral_episodes)

    def _begin(self, person: Person, steady: Steady) -> Showing:
        assert steady.label != UNCERTAIN
        return Showing(
            number=person.next_number,
            emotion=steady.label,
            start_ms=self._at.ms,
            frames=1,
            side_max=max(person.box.width, person.box.height),
            sums=ZEROS,
            peak=steady.smoothed[_NUMBER[steady.label]],
            peak_ms=self._at.ms,
            peak_frame_id=self._at.frame_id,
            reported_ms=self._at.ms,
        )

    def _extended(self, showing: Showing, person: Person, duration_ms: int) -> Showing:
        """Return an emotion after this frame, which may be the first one without it."""
        steady = person.steady
        sums = _add(showing.sums, duration_ms, steady.smoothed)
        if steady.label != showing.emotion:
            return showing._replace(sums=sums)
        share = steady.smoothed[_NUMBER[showing.emotion]]
        peak, peak_ms, peak_frame_id = showing.peak, showing.peak_ms, showing.peak_frame_id
        if share > peak:
            peak, peak_ms, peak_frame_id = share, self._at.ms, self._at.frame_id
        return Showing(
            showing.number,
            showing.emotion,
            showing.start_ms,
            showing.frames + 1,
            max(showing.side_max, person.box.width, person.box.height),
            sums,
            peak,
            peak_ms,
            peak_frame_id,
            showing.reported_ms,
        )

    def _count(self, counted_ms: int) -> int:
        """Count a track in the minute under way, once; return the minute that counted it."""
        now = self._minutes.now
        now.count_person()
        if now.start_ms is None or now.start_ms == counted_ms:
            return counted_ms
        now.tracks += 1
        return now.start_ms


def _side(sighting: Sighting) -> float:
    return max(sighting.box.width, sighting.box.height)


def _add(sums: Eight, duration_ms: int, smoothed: Eight) -> Eight:
    return tuple([a + duration_ms * b for a, b in zip(sums, smoothed)])  # noqa: B905
