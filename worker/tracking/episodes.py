"""The records of a track and its emotions."""

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from emotion_streams.emotions import EMOTIONS, Emotion
from emotion_streams.episodes import EndReason, Episode, EpisodeType
from worker.tracking.parts import Eight, Person, Showing

Number = TypeVar("Number", int, float)


class Moment(NamedTuple):
    """The frame that decides a record, and its time."""

    camera: str
    frame_id: str
    ms: int


def entered(at: Moment, person: Person) -> Episode:
    """Return the record of a track that was born."""
    return _of_track(EpisodeType.FACE_ENTERED, at, person)


def left(at: Moment, person: Person, reason: EndReason) -> list[Episode]:
    """Return the records of a track that ended: of its open emotion, then of itself."""
    records = []
    if person.showing:
        records.append(ended(at, person, person.showing, person.last_ms, reason))
    records.append(_of_track(EpisodeType.FACE_LEFT, at, person, reason))
    return records


def started(at: Moment, person: Person, showing: Showing) -> Episode:
    """Return the record of an emotion that became the label."""
    return _of_emotion(EpisodeType.EMOTION_STARTED, at, person, showing, at.ms)


def updated(at: Moment, person: Person, showing: Showing) -> Episode:
    """Return the record of an emotion that lasts."""
    return _of_emotion(EpisodeType.EMOTION_UPDATED, at, person, showing, at.ms)


def ended(at: Moment, person: Person, showing: Showing, end_ms: int, reason: EndReason) -> Episode:
    """Return the record of an emotion that has ended."""
    return _of_emotion(EpisodeType.EMOTION_ENDED, at, person, showing, end_ms, reason)


def means(sums: Eight, duration_ms: int, otherwise: Eight) -> Eight:
    """Return the means by time of sums over `duration_ms`; `otherwise` if that is 0."""
    if duration_ms <= 0:
        return otherwise
    return tuple(min(1.0, value / duration_ms) for value in sums)


def by_emotion(values: Iterable[Number]) -> dict[Emotion, Number]:
    """Return eight values by the names of the emotions."""
    return dict(zip(EMOTIONS, values, strict=True))


def _of_track(
    kind: EpisodeType, at: Moment, person: Person, reason: EndReason | None = None
) -> Episode:
    duration_ms = person.last_ms - person.first_ms
    has_left = reason is not None
    mean = means(person.sums, duration_ms, person.steady.smoothed)
    return Episode(
        id=f"{at.camera}/{person.id}/0",
        type=kind,
        camera=at.camera,
        track=person.id,
        frame_id=at.frame_id,
        decided_ms=at.ms,
        start_ms=person.first_ms,
        end_ms=person.last_ms if has_left else None,
        duration_ms=duration_ms,
        frames=person.frames,
        box=person.box,
        side_max=person.side_max,
        probabilities_mean=by_emotion(mean) if has_left else None,
        emotion_ms=by_emotion(person.emotion_ms) if has_left else None,
        reason=reason,
    )


def _of_emotion(
    kind: EpisodeType,
    at: Moment,
    person: Person,
    showing: Showing,
    last_ms: int,
    reason: EndReason | None = None,
) -> Episode:
    has_ended = reason is not None
    duration_ms = last_ms - showing.start_ms
    mean = means(showing.sums, duration_ms, person.steady.smoothed)
    return Episode(
        id=f"{at.camera}/{person.id}/{showing.number}",
        type=kind,
        camera=at.camera,
        track=person.id,
        frame_id=at.frame_id,
        decided_ms=at.ms,
        start_ms=showing.start_ms,
        end_ms=last_ms if has_ended else None,
        duration_ms=duration_ms,
        frames=showing.frames,
        box=person.box,
        side_max=showing.side_max,
        emotion=showing.emotion,
        confidence_mean=mean[EMOTIONS.index(showing.emotion)],
        confidence_peak=showing.peak,
        peak_ms=showing.peak_ms,
        peak_frame_id=showing.peak_frame_id,
        probabilities_mean=by_emotion(mean) if has_ended else None,
        reason=reason,
    )
