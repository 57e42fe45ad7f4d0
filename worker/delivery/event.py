"""Builds the event of an analysed frame from the results of the stages."""

from collections.abc import Sequence

from emotion_streams.emotions import EMOTIONS, Emotion
from emotion_streams.events import EmotionEvent, Face, Latency, Model
from emotion_streams.frames import Frame
from worker.inference.batch import Classified
from worker.inference.find import Found


def build_event(
    camera: str,
    frame_id: str,
    frame: Frame,
    found: Found,
    classified: Classified,
    *,
    labels: Sequence[str],
    model: Model,
    began_ms: float,
    now_ms: float,
) -> EmotionEvent:
    """Build the event of an analysed frame.

    `labels` name the columns of the probabilities. `began_ms` and `now_ms`: when processing started
    and ended, by the clock of `captured_ms`.
    """
    decode_ms, detect_ms = found.decode_s * 1000, found.detect_s * 1000
    classify_ms = classified.seconds * 1000
    faces = []
    for detection, row in zip(found.detections, classified.probabilities, strict=True):
        by_label = dict(zip(labels, row.tolist(), strict=True))
        probabilities: dict[Emotion, float] = {name: by_label[name] for name in EMOTIONS}
        emotion = max(EMOTIONS, key=probabilities.__getitem__)
        faces.append(
            Face(detection.box, detection.score, emotion, probabilities[emotion], probabilities)
        )
    return EmotionEvent(
        camera=camera,
        frame_id=frame_id,
        captured_ms=frame.captured_ms,
        width=found.width,
        height=found.height,
        faces=tuple(faces),
        latency=Latency(
            queue_ms=max(0.0, began_ms - frame.captured_ms),
            wait_ms=max(0.0, now_ms - began_ms - decode_ms - detect_ms - classify_ms),
            decode_ms=decode_ms,
            detect_ms=detect_ms,
            classify_ms=classify_ms,
            total_ms=max(0.0, now_ms - frame.captured_ms),
        ),
        model=model,
        faces_omitted=found.omitted,
        detect_side=found.detect_side,
    )
