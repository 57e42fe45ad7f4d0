"""The frames of a producer's session: which are missing, and their places in a recording."""

from collections.abc import Sequence
from dataclasses import replace

from emotion_streams.episodes import Episode
from emotion_streams.frames import Frame
from emotion_streams.minutes import MINUTE_MS, Minute
from worker.tracking.constants import MAX_LOST
from worker.tracking.state import TrackingState
from worker.tracking.step import count_lost
from worker.tracking.types import Step


def with_frame(before: TrackingState, step: Step, frame: Frame) -> Step:
    """Return the step of a frame from the state `before`, with the frame's place in its session.

    Frames that are missing before it are counted as lost: in the minute that it ended and in the
    one under way, by the parts of the time that lie in them.
    """
    state, minutes, place = step.state, step.minutes, frame.position_ms
    minute = state.minute
    if lost := _missing(before, frame):
        if minutes:
            ended = min(lost, round(lost * _share_in(minutes[0], before, state)))
            total = min(minutes[0].frames_lost + ended, MAX_LOST)
            minutes = (replace(minutes[0], frames_lost=total), *minutes[1:])
            lost -= ended
        minute = count_lost(minute, lost)
    recorded_ms = None if place is None else max(0, frame.captured_ms - place)
    # The constructor, because replace() takes a tenth of the time that tracking takes.
    after = TrackingState(
        state.camera,
        state.tracks,
        state.people,
        minute,
        frame.session_id,
        frame.seq,
        recorded_ms,
    )
    return Step(after, step.faces, placed(step.episodes, recorded_ms), minutes)


def _missing(before: TrackingState, frame: Frame) -> int:
    """Return how many frames of the sessions ended without an event, as far as their numbers say.

    The last ones of a session are not known.
    """
    if frame.session_id == before.session_id:
        return max(0, frame.seq - before.seq - 1)
    return frame.seq if before.session_id else 0


def _share_in(minute: Minute, before: TrackingState, after: TrackingState) -> float:
    """Return the part of the time between two frames that lies in the minute, 0 to 1."""
    last_ms, now_ms = before.tracks.clock_ms, after.tracks.clock_ms
    end_ms = minute.start_ms + MINUTE_MS
    return max(0.0, min(1.0, (end_ms - last_ms) / (now_ms - last_ms))) if now_ms > last_ms else 0.0


def placed(episodes: Sequence[Episode], recorded_ms: int | None) -> tuple[Episode, ...]:
    """Return the records with their places in a recording that began at `recorded_ms`."""
    if recorded_ms is None:
        return tuple(episodes)
    return tuple(
        replace(
            episode,
            start_position_ms=max(0, episode.start_ms - recorded_ms),
            end_position_ms=episode.end_ms and max(0, episode.end_ms - recorded_ms),
        )
        for episode in episodes
    )
