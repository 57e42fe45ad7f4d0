"""Builds the event of an analysed frame from the results of the stages."""

from emotion_streams.emotions import EMOTIONS, Emotion
from emotion_streams.events import EmotionEvent, Face, Latency, Model
from worker.inference.pipeline import AnalysedFrame


def build_event(camera: str, analysed: AnalysedFrame, model: Model) -> EmotionEvent:
    """Build the event of an analysed frame."""
    frame, found, now_ms = analysed.frame, analysed.faces, analysed.ended_ms
    decode_ms, detect_ms = found.decode_s * 1000, found.detect_s * 1000
    classify_ms = analysed.classified.seconds * 1000
    faces = []
    for detection, row in zip(found.detections, analysed.classified.probabilities, strict=True):
        probabilities: dict[Emotion, float] = dict(zip(EMOTIONS, row.tolist(), strict=True))
        emotion = max(EMOTIONS, key=probabilities.__getitem__)
        faces.append(
            Face(detection.box, detection.score, emotion, probabilities[emotion], probabilities)
        )
    return EmotionEvent(
        camera=camera,
        frame_id=analysed.frame_id,
        captured_ms=frame.captured_ms,
        width=found.width,
        height=found.height,
        faces=tuple(faces),
        latency=Latency(
            queue_ms=max(0.0, analysed.began_ms - frame.captured_ms),
            wait_ms=max(0.0, now_ms - analysed.began_ms - decode_ms - detect_ms - classify_ms),
            decode_ms=decode_ms,
            detect_ms=detect_ms,
            classify_ms=classify_ms,
            total_ms=max(0.0, now_ms - frame.captured_ms),
        ),
        model=model,
        faces_omitted=found.omitted,
        detect_side=found.detect_side,
    )
