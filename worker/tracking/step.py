"""The steps of a camera's state: a committed frame, lost frames, the owner's timers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from emotion_streams.emotions import Label
from emotion_streams.episodes import EndReason
from emotion_streams.minutes import MINUTE_MS
from emotion_streams.stream_id import ZERO, StreamId
from worker.tracking.constants import GAP_MS, MAX_LOST, MAX_TRACKS, MINUTE_GRACE_MS, STEADY_MS
from worker.tracking.episodes import Moment, by_emotion
from worker.tracking.minutes import Summaries, Summing, close, following
from worker.tracking.parts import Eight, MinuteSums, Person, Track, Tracks
from worker.tracking.people import People
from worker.tracking.state import TrackingState
from worker.tracking.tracker import advance_clock
from worker.tracking.types import Association, Policy, Sighting, Step, TrackedFace


def advance(
    state: TrackingState,
    association: Association,
    sightings: Sequence[Sighting],
    probabilities: NDArray[np.float32],
    policy: Policy,
    classified_ms: Sequence[int | None] | None = None,
) -> Step:
    """Return the step of an analysed frame. Called in commit order.

    `probabilities` is (faces, 8) in the order of EMOTIONS. `classified_ms`: per face, the capture
    time that its probabilities are from if they were reused (`steady`), else None; None if no
    face's were. A frame that is not newer than the state's last one changes nothing.

    Any association is safe: a track that the state has closed, or cannot know, is not reported, so
    every start has one end, and none twice. Raises ValueError if the lengths differ.
    """
    if not len(association.tracks) == len(sightings) == len(probabilities):
        raise ValueError("a track, a sighting and a row of probabilities are needed per face")
    if StreamId.parse(association.frame_id) <= StreamId.parse(state.tracks.last_frame_id):
        return Step(state, (TrackedFace(),) * len(sightings))
    last_ms = state.tracks.clock_ms
    now_ms, has_jumped = advance_clock(last_ms, association.captured_ms)
    minutes = Summaries(state.minute, now_ms)
    minutes.add_frame(last_ms, now_ms, len(sightings))
    people = People(Moment(state.camera, association.frame_id, now_ms), policy, minutes)
    tracks = _admitted(state, association, now_ms)
    present = _remaining(state, tracks, people, now_ms, has_jumped=has_jumped)
    faces = [TrackedFace()] * len(sightings)
    rows = _rows(probabilities)
    for n, track in _first_of_each(association.tracks, tracks):
        raw_ms = (classified_ms[n] if classified_ms else None) or now_ms
        if before := present.get(track.id):
            person = people.see(before, sightings[n], rows[n], raw_ms)
        else:
            person = people.enter(track, sightings[n], rows[n], raw_ms)
        present[track.id] = person
        faces[n] = _face(person)
    items = Tracks(association.frame_id, now_ms, tuple(tracks.values()))
    after = _after(state, items, present, minutes.now.frozen())
    closed = minutes.closed(state.camera, policy.min_people)
    return Step(after, tuple(faces), tuple(people.records), closed)


def count_lost(minute: MinuteSums, frames: int) -> MinuteSums:
    """Return the minute under way after `frames` frames without an event; MAX_LOST at most."""
    return minute._replace(frames_lost=min(minute.frames_lost + frames, MAX_LOST))


def close_silent(state: TrackingState, policy: Policy) -> Step:
    """Return the step of a camera without new frames: every track left when it was last seen.

    The caller decides that no frame came for longer than GAP_MS and none is in flight. The next
    association starts from the new state's tracks.
    """
    last = state.tracks
    minutes = Summaries(state.minute, last.clock_ms)
    people = People(Moment(state.camera, last.last_frame_id, last.clock_ms), policy, minutes)
    for person in state.people:
        people.leave(person, EndReason.CAMERA_DOWN)
    after = replace(state, tracks=replace(last, items=()), people=(), minute=minutes.now.frozen())
    return Step(after, episodes=tuple(people.records))


def close_minute(state: TrackingState, now_ms: int, policy: Policy) -> Step:
    """Return the step of the owner's timer: closes the minute under way if it is over.

    `now_ms` is by the clock of capture times. A minute is over MINUTE_GRACE_MS after its end,
    because its last frames may still be on the way. Without that, nothing changes.
    """
    sums, last_ms = state.minute, state.tracks.clock_ms
    if sums.start_ms is None or now_ms < sums.start_ms + MINUTE_MS + MINUTE_GRACE_MS:
        return Step(state)
    summing = Summing(sums, sums.start_ms)
    summing.see(last_ms, now_ms)
    minute = close(state.camera, summing.frozen(), policy.min_people)
    return Step(replace(state, minute=following(sums)), minutes=(minute,))


def steady(
    state: TrackingState, track_id: str, now_ms: int
) -> tuple[Label, tuple[float, ...], int] | None:
    """Return what may stand for classifying a track's face again; None if nothing may.

    That is its label, its last classified probabilities (eight, in the order of EMOTIONS), and the
    capture time that they are from; if the label is held and no other one is about to follow. The
    caller compares that time with `now_ms` and its limit (`--reuse-ms`).
    """
    for person in state.people:
        if person.id == track_id:
            break
    else:
        return None
    known = person.steady
    is_held = now_ms - known.since_ms >= STEADY_MS and known.rival == known.label
    return (known.label, known.raw, known.raw_ms) if is_held else None


def _admitted(state: TrackingState, association: Association, now_ms: int) -> dict[str, Track]:
    """Return the tracks that the state may know after this frame, by id.

    These are the tracks that it knows, open or not yet entered, and those that began after its last
    frame. All others were closed, and an id must not enter twice.
    """
    known = {track.id for track in state.tracks.items}.union(person.id for person in state.people)
    newest = StreamId.parse(association.frame_id)
    oldest = StreamId.parse(state.tracks.last_frame_id)
    admitted: dict[str, Track] = {}
    for track in association.after.items[:MAX_TRACKS]:
        if track.id in known or oldest < _first_frame(track.id) <= newest:
            # The chain may be ahead of this frame.
            is_ahead = track.last_ms > now_ms
            admitted[track.id] = track._replace(last_ms=now_ms) if is_ahead else track
    return admitted


def _remaining(
    state: TrackingState, tracks: dict[str, Track], people: People, now_ms: int, *, has_jumped: bool
) -> dict[str, Person]:
    """Return the people whose tracks are open, by id. Others leave, and their tracks are removed.

    If the clock has jumped, all leave.
    """
    present = {} if has_jumped else {each.id: each for each in state.people if each.id in tracks}
    last_ms = state.tracks.clock_ms
    for person in state.people:
        if person.id not in present:
            is_down = has_jumped or (person.last_ms == last_ms and now_ms - last_ms > GAP_MS)
            people.leave(person, EndReason.CAMERA_DOWN if is_down else EndReason.GONE)
            tracks.pop(person.id, None)
    return present


def _after(
    state: TrackingState, tracks: Tracks, people: Mapping[str, Person], minute: MinuteSums
) -> TrackingState:
    """Return the state after a frame; `people` by the ids of their tracks, in any order."""
    # The constructor, because replace() takes a tenth of the time that tracking takes.
    return TrackingState(
        state.camera,
        tracks,
        tuple([people[each.id] for each in tracks.items if each.id in people]),
        minute,
        state.session_id,
        state.seq,
        state.recorded_ms,
    )


def _first_frame(track_id: str) -> StreamId:
    try:
        return StreamId.parse(track_id.rpartition(".")[0])
    except ValueError:
        return ZERO


def _first_of_each(
    ids: Sequence[str | None], tracks: Mapping[str, Track]
) -> Iterator[tuple[int, Track]]:
    """Yield the faces with a track by index; of two with the same track, the first."""
    seen = set()
    for n, track_id in enumerate(ids):
        if track_id is not None and track_id in tracks and track_id not in seen:
            seen.add(track_id)
            yield n, tracks[track_id]


def _rows(probabilities: NDArray[np.float32]) -> list[Eight]:
    """Return the rows, every value from 0 to 1. NaN would stay in every average: it becomes 0."""
    return [
        tuple([value if 0.0 <= value <= 1.0 else float(value > 1.0) for value in row])
        for row in np.asarray(probabilities, np.float32).tolist()
    ]


def _face(person: Person) -> TrackedFace:
    steady = person.steady
    return TrackedFace(person.id, steady.label, steady.since_ms, by_emotion(steady.smoothed))
