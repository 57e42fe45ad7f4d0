"""Associates the faces of a frame with tracks, by place, size and time."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from emotion_streams.stream_id import StreamId
from worker.tracking.constants import (
    BIRTH_MS,
    COAST_S,
    GAP_MS,
    GATE,
    GATE_PER_S,
    MAX_TRACKS,
    MAX_UNSEEN_FRAMES,
    SIZE_WEIGHT,
    VELOCITY_TAU_S,
)
from worker.tracking.parts import Track, Tracks
from worker.tracking.types import Association, Sighting

Place = tuple[float, float, float]
"""Centre x, centre y and size of a box in pixels."""


def associate(
    before: Tracks, frame_id: str, captured_ms: int, sightings: Sequence[Sighting]
) -> Association:
    """Return the tracks of a frame's faces, and the tracker's state after it.

    Called in frame order; it may run ahead of commits: `before` is the `after` of the camera's
    previous association, or `state.tracks` after a start, a takeover or `close_silent`. A frame
    that is not newer than `before` has no tracks and changes nothing.
    """
    if StreamId.parse(frame_id) <= StreamId.parse(before.last_frame_id):
        return Association(frame_id, captured_ms, (None,) * len(sightings), before)
    now_ms, has_jumped = advance_clock(before.clock_ms, captured_ms)
    known = [] if has_jumped else [track for track in before.items if _is_kept(track, now_ms)]
    places = [_place(sighting) for sighting in sightings]
    matches = _match(known, places, now_ms)
    taken = set(matches.values())
    items = [
        _moved(track, places[face], now_ms) if (face := matches.get(n)) is not None else track
        for n, track in enumerate(known)
    ]
    items += [
        Track(f"{frame_id}.{face}", False, now_ms, now_ms, x, y, size, 0.0, 0.0)
        for face, (x, y, size) in enumerate(places)
        if face not in taken
    ]
    kept = _largest(items)
    ids = {id(track) for track in kept}
    tracks: list[str | None] = [None] * len(sightings)
    for n, face in matches.items():
        if id(items[n]) in ids:
            tracks[face] = items[n].id
    return Association(frame_id, captured_ms, tuple(tracks), Tracks(frame_id, now_ms, kept))


def without_unseen(
    association: Association, unseen: Mapping[str, int]
) -> tuple[Association, dict[str, int]]:
    """Return the association without tracks that too many frames did not see, and the new counts.

    `unseen` has the frames since the last detection, by track, before this frame. Without it, the
    tracks of a camera whose clock has stopped would never end.
    """
    seen = set(association.tracks)
    items = association.after.items
    counts = {each.id: 0 if each.id in seen else unseen.get(each.id, 0) + 1 for each in items}
    if max(counts.values(), default=0) <= MAX_UNSEEN_FRAMES:
        return association, counts
    kept = tuple(each for each in items if counts[each.id] <= MAX_UNSEEN_FRAMES)
    after = replace(association.after, items=kept)
    return replace(association, after=after), {each.id: counts[each.id] for each in kept}


def advance_clock(clock_ms: int, captured_ms: int) -> tuple[int, bool]:
    """Return the clock at a frame, and whether it jumped back beyond the gap.

    Smaller steps back stand still, so that no duration is negative.
    """
    if clock_ms - captured_ms > GAP_MS:
        return captured_ms, True
    return max(clock_ms, captured_ms), False


def _is_kept(track: Track, now_ms: int) -> bool:
    return now_ms - track.last_ms <= (GAP_MS if track.is_born else BIRTH_MS)


def _place(sighting: Sighting) -> Place:
    box = sighting.box
    size = max(1.0, (box.width + box.height) / 2)
    return box.x + box.width / 2, box.y + box.height / 2, size


def _match(tracks: Sequence[Track], places: Sequence[Place], now_ms: int) -> dict[int, int]:
    """Return the face of each track that has one, by index: the closest pairs first."""
    pairs = []
    for n, track in enumerate(tracks):
        seconds = (now_ms - track.last_ms) / 1000
        ahead = min(seconds, COAST_S)
        x, y, size = track.x + track.vx * ahead, track.y + track.vy * ahead, track.size
        gate = GATE + GATE_PER_S * seconds
        reach = gate * size
        for face, (face_x, face_y, face_size) in enumerate(places):
            across, down = face_x - x, face_y - y
            if -reach <= across <= reach and -reach <= down <= reach:
                distance = math.hypot(across, down) / size
                distance += SIZE_WEIGHT * abs(math.log(face_size / size))
                if distance <= gate:
                    pairs.append((distance, n, face))
    pairs.sort()
    matches: dict[int, int] = {}
    taken = set()
    for _, n, face in pairs:
        if n not in matches and face not in taken:
            matches[n] = face
            taken.add(face)
    return matches


def _moved(track: Track, place: Place, now_ms: int) -> Track:
    """Return the track after a further detection."""
    x, y, size = place
    seconds = (now_ms - track.last_ms) / 1000
    vx, vy = track.vx, track.vy
    if seconds > 0:
        gain = 1 - math.exp(-seconds / VELOCITY_TAU_S)
        vx += gain * ((x - track.x) / seconds - vx)
        vy += gain * ((y - track.y) / seconds - vy)
    return Track(track.id, True, track.first_ms, now_ms, x, y, size, vx, vy)


def _largest(items: list[Track]) -> tuple[Track, ...]:
    """Return at most MAX_TRACKS tracks, the largest, in their order."""
    if len(items) <= MAX_TRACKS:
        return tuple(items)
    order = sorted(range(len(items)), key=lambda n: -items[n].size)
    return tuple(items[n] for n in sorted(order[:MAX_TRACKS]))
