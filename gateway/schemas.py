"""The schemas of the JSON answers, for the OpenAPI document."""

from typing import Any, Final

import emotion_streams
from emotion_streams import EMOTIONS, CameraState, EndReason, EpisodeType
from emotion_streams.emotions import UNCERTAIN
from gateway.verdicts import Verdict

_NUMBER: Final = {"type": "number"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_TEXT: Final = {"type": "string"}
_SHARE: Final = {"type": "number", "minimum": 0, "maximum": 1}
_EMOTION: Final = {"type": "string", "enum": list(EMOTIONS)}
_BOX: Final = {"type": "array", "items": _NUMBER, "minItems": 4, "maxItems": 4}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list(items: Any, **limits: int) -> dict[str, Any]:
    return {"type": "array", "items": items, **limits}


def ref(name: str) -> dict[str, str]:
    """Return a reference to a schema of SCHEMAS."""
    return {"$ref": f"#/components/schemas/{name}"}


def _or_null(kind: str) -> dict[str, Any]:
    return {"type": [kind, "null"]}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _per_emotion(schema: dict[str, Any]) -> dict[str, Any]:
    return _object(**dict.fromkeys(EMOTIONS, schema))


_PER_EMOTION: Final = {"minItems": len(EMOTIONS), "maxItems": len(EMOTIONS)}

SCHEMAS: Final[dict[str, Any]] = {
    "Error": _object(error=_TEXT),
    "Camera": _object(
        camera=_TEXT,
        state={"type": "string", "enum": [state.value for state in CameraState]},
        fps=_NUMBER,
        width=_COUNT,
        height=_COUNT,
        last_frame_ms=_or_null("integer"),
        last_frame_age_ms=_or_null("integer"),
        owner=_or_null("string"),
        backlog=_or_null("integer"),
        error=_TEXT,
        title=_TEXT,
        group=_TEXT,
        verdict={"type": "string", "enum": [verdict.value for verdict in Verdict]},
        reason=_TEXT,
        stale={"type": "boolean"},
        event_age_ms=_or_null("integer"),
        analysed_fps=_NUMBER,
    ),
    "Cameras": _object(
        cameras=_list(ref("Camera")),
        pictures={"type": "string", "enum": ["on", "blurred", "off"]},
        now_ms=_COUNT,
        signed_in={"type": "boolean"},
        version=_TEXT,
    ),
    "Face": _object(
        box=_BOX,
        score=_SHARE,
        emotion=_EMOTION,
        confidence=_SHARE,
        probabilities=_per_emotion(_SHARE),
        track=_or_null("string"),
        label={"enum": [*EMOTIONS, UNCERTAIN, None]},
        label_since_ms=_or_null("integer"),
        smoothed=_nullable(_per_emotion(_SHARE)),
        classified_ms=_or_null("integer"),
        landmarks=_nullable(_list(_list(_NUMBER, minItems=2, maxItems=2))),
        turn_degrees=_or_null("number"),
        sharpness=_or_null("number"),
    ),
    "Event": _object(
        schema=_COUNT,
        camera=_TEXT,
        frame_id=_TEXT,
        captured_ms=_COUNT,
        width=_COUNT,
        height=_COUNT,
        faces=_list(ref("Face")),
        faces_omitted=_COUNT,
        detect_side=_or_null("integer"),
        position_ms=_or_null("integer"),
        latency=_object(**dict.fromkeys(emotion_streams.Latency.__dataclass_fields__, _NUMBER)),
        model=_object(**dict.fromkeys(emotion_streams.Model.__dataclass_fields__, _TEXT)),
    ),
    "Events": _object(camera=_TEXT, events=_list(ref("Event")), next=_or_null("string")),
    "Episode": _object(
        schema=_COUNT,
        id=_TEXT,
        type={"type": "string", "enum": [kind.value for kind in EpisodeType]},
        camera=_TEXT,
        track=_TEXT,
        frame_id=_TEXT,
        decided_ms=_COUNT,
        start_ms=_COUNT,
        end_ms=_or_null("integer"),
        duration_ms=_COUNT,
        frames=_COUNT,
        box=_BOX,
        side_max=_NUMBER,
        emotion={"enum": [*EMOTIONS, None]},
        confidence_mean=_nullable(_SHARE),
        confidence_peak=_nullable(_SHARE),
        peak_ms=_or_null("integer"),
        peak_frame_id=_or_null("string"),
        probabilities_mean=_nullable(_per_emotion(_SHARE)),
        emotion_ms=_nullable(_per_emotion(_COUNT)),
        reason={"enum": [*(reason.value for reason in EndReason), None]},
        start_position_ms=_or_null("integer"),
        end_position_ms=_or_null("integer"),
    ),
    "Episodes": _object(
        camera=_TEXT,
        episodes=_list(ref("Episode")),
        next=_or_null("string"),
        previous=_or_null("string"),
        oldest_ms=_or_null("integer"),
    ),
    "People": _object(
        people_mean=_NUMBER,
        people_max=_COUNT,
        faces_mean=_NUMBER,
        faces_max=_COUNT,
        tracks=_COUNT,
        entered=_COUNT,
        left=_COUNT,
        face_ms=_COUNT,
        emotion_ms=_per_emotion(_COUNT),
        probabilities_mean=_nullable(_per_emotion(_SHARE)),
        episodes=_per_emotion(_COUNT),
        dwell_ms_p50=_or_null("integer"),
    ),
    "Minute": _object(
        schema=_COUNT,
        camera=_TEXT,
        start_ms=_COUNT,
        frames=_COUNT,
        frames_lost=_COUNT,
        coverage=_SHARE,
        people=_nullable(ref("People")),
    ),
    "Minutes": _object(
        camera=_TEXT,
        minutes=_list(ref("Minute")),
        next=_or_null("string"),
        previous=_or_null("string"),
    ),
    "Point": _object(
        start_ms=_COUNT,
        coverage=_SHARE,
        people=_nullable(
            _object(
                people_mean=_NUMBER,
                faces_mean=_NUMBER,
                faces_max=_COUNT,
                people_max=_COUNT,
                entered=_COUNT,
                emotion_ms=_list(_COUNT, **_PER_EMOTION),
                means=_nullable(_list(_SHARE, **_PER_EMOTION)),
            )
        ),
    ),
    "Trend": _object(camera=_TEXT, step=_COUNT, points=_list(ref("Point"))),
    "Trends": _object(
        step=_COUNT,
        cameras={"type": "object", "additionalProperties": _list(ref("Point"))},
    ),
    "Second": _object(
        at=_COUNT,
        events=_COUNT,
        faces=_COUNT,
        people=_NUMBER,
        latency_ms=_NUMBER,
        counts=_list(_COUNT, **_PER_EMOTION),
        means=_list(_NUMBER, **_PER_EMOTION),
    ),
    "History": _object(
        camera=_TEXT,
        last=_TEXT,
        age_ms=_COUNT,
        oldest_ms=_or_null("integer"),
        seconds=_list(ref("Second")),
    ),
}
