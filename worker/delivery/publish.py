"""Turns finished frames into what is committed: events, episodes, minutes, tracking state."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from emotion_streams.emotions import EMOTIONS, Emotion
from emotion_streams.episodes import Episode
from emotion_streams.events import EmotionEvent, Latency, Model
from emotion_streams.faces import Face
from emotion_streams.minutes import Minute
from worker.delivery.types import Completion, TracksUpdate
from worker.inference.pipeline import AnalysedFrame
from worker.tracking import Step, TrackedFace, TrackingState
from worker.tracking.camera_tracker import CameraTracker


@dataclass(frozen=True)
class Batch:
    """Frames that are committed in one call.

    `events` has an event for each analysed frame, else None. `episodes` are the records that they
    led to, `state` is the tracking state after them, and `tracks` what is to be stored of both.
    """

    completions: list[Completion]
    events: list[EmotionEvent | None]
    episodes: Sequence[Episode]
    state: TrackingState
    tracks: TracksUpdate


def build_batch(completions: Sequence[Completion], tracker: CameraTracker, model: Model) -> Batch:
    """Build the events of the analysed frames, and what changed over time.

    Called in commit order: each frame's smoothed labels depend on the frames before it.
    """
    state = tracker.state
    built: list[Completion] = []
    events: list[EmotionEvent | None] = []
    episodes: list[Episode] = []
    minutes: list[Minute] = []
    for completion in completions:
        analysed = completion.analysed
        if analysed is None:
            built.append(completion)
            events.append(None)
            continue
        emotions = analysed.emotions
        step = tracker.advance(
            state, analysed.frame, analysed.tracked, emotions.probabilities, emotions.classified_ms
        )
        event = build_event(state.camera, analysed, step.faces, model)
        # An old frame changes no track, and Redis may refuse its event.
        has_moved = step.state is not state
        built.append(replace(completion, payload=event.pack(), moves_tracks=has_moved))
        events.append(event)
        state = step.state
        episodes += step.episodes
        minutes += step.minutes
    return Batch(built, events, episodes, state, _update(tracker, state, episodes, minutes))


def build_closing(step: Step, tracker: CameraTracker) -> Batch:
    """Build what ends without a frame, because the camera sends none."""
    update = _update(tracker, step.state, step.episodes, step.minutes)
    return Batch([], [], step.episodes, step.state, update)


def _update(
    tracker: CameraTracker,
    state: TrackingState,
    episodes: Sequence[Episode],
    minutes: Sequence[Minute],
) -> TracksUpdate:
    return TracksUpdate(
        expected=tracker.version,
        version=b"%d" % (_number(tracker.version) + 1),
        state=state.pack(),
        people=len(state.people),
        is_open=state.is_open,
        episodes=[episode.pack() for episode in episodes],
        minutes=[(f"{minute.start_ms}-0", minute.pack()) for minute in minutes],
    )


def _number(version: bytes) -> int:
    """Return a stored version as a number; 0 if it is none."""
    return int(version) if version.isdigit() and len(version) < 16 else 0


def build_event(
    camera: str, analysed: AnalysedFrame, tracked: Sequence[TrackedFace], model: Model
) -> EmotionEvent:
    """Build the event of an analysed frame; `tracked` has an item per face."""
    frame, found, emotions = analysed.frame, analysed.faces, analysed.emotions
    now_ms, began_ms = analysed.ended_ms, analysed.began_ms
    # The frames of a recording are dated by their place in it, so they have no age.
    stored_ms = frame.captured_ms if frame.position_ms is None else began_ms
    decode_ms, detect_ms = found.decode_s * 1000, found.detect_s * 1000
    classify_ms = emotions.seconds * 1000
    return EmotionEvent(
        camera=camera,
        frame_id=analysed.frame_id,
        captured_ms=frame.captured_ms,
        width=found.width,
        height=found.height,
        faces=tuple(_face(analysed, n, face) for n, face in enumerate(tracked)),
        latency=Latency(
            queue_ms=max(0.0, began_ms - stored_ms),
            wait_ms=max(0.0, now_ms - began_ms - decode_ms - detect_ms - classify_ms),
            decode_ms=decode_ms,
            detect_ms=detect_ms,
            classify_ms=classify_ms,
            total_ms=max(0.0, now_ms - stored_ms),
        ),
        model=model,
        faces_omitted=found.omitted,
        detect_side=found.detect_side,
        position_ms=frame.position_ms,
    )


def _face(analysed: AnalysedFrame, number: int, tracked: TrackedFace) -> Face:
    detection = analysed.faces.detections[number]
    sighting = analysed.tracked.sightings[number]
    row = analysed.emotions.probabilities[number].tolist()
    probabilities: dict[Emotion, float] = dict(zip(EMOTIONS, row, strict=True))
    emotion = max(EMOTIONS, key=probabilities.__getitem__)
    return Face(
        box=detection.box,
        score=detection.score,
        emotion=emotion,
        confidence=probabilities[emotion],
        probabilities=probabilities,
        track=tracked.track,
        label=tracked.label,
        label_since_ms=tracked.label_since_ms,
        smoothed=tracked.smoothed,
        classified_ms=analysed.emotions.classified_ms[number],
        landmarks=detection.landmarks,
        turn_degrees=sighting.turn_degrees,
        sharpness=sighting.sharpness,
    )
