"""The OpenAPI 3.1 document, from the list of endpoints and the models that check their queries."""

import inspect
import re
from collections.abc import Iterable
from typing import Any, Final

import emotion_streams
from emotion_streams import EMOTIONS
from gateway.api import Endpoint
from gateway.queries import is_list
from gateway.verdicts import Verdict

_NUMBER: Final = {"type": "number"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_TEXT: Final = {"type": "string"}
_SHARE: Final = {"type": "number", "minimum": 0, "maximum": 1}
_EMOTION: Final = {"type": "string", "enum": list(EMOTIONS)}


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


def _list(items: Any, **limits: int) -> dict[str, Any]:
    return {"type": "array", "items": items, **limits}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _or_null(kind: str) -> dict[str, Any]:
    return {"type": [kind, "null"]}


_PER_EMOTION: Final = {"minItems": len(EMOTIONS), "maxItems": len(EMOTIONS)}

SCHEMAS: Final[dict[str, Any]] = {
    "Error": _object(error=_TEXT),
    "Camera": _object(
        camera=_TEXT,
        state={"type": "string", "enum": ["up", "down", "ended", "gone"]},
        fps=_NUMBER,
        width=_COUNT,
        height=_COUNT,
        last_frame_ms=_or_null("integer"),
        last_frame_age_ms=_or_null("integer"),
        owner=_or_null("string"),
        backlog=_or_null("integer"),
        error=_TEXT,
        verdict={"type": "string", "enum": [verdict.value for verdict in Verdict]},
        reason=_TEXT,
        stale={"type": "boolean"},
        event_age_ms=_or_null("integer"),
        analysed_fps=_NUMBER,
    ),
    "Cameras": _object(
        cameras=_list(_ref("Camera")),
        pictures={"type": "string", "enum": ["on", "blurred", "off"]},
        now_ms=_COUNT,
        version=_TEXT,
    ),
    "Face": _object(
        box=_list(_NUMBER, minItems=4, maxItems=4),
        score=_SHARE,
        emotion=_EMOTION,
        confidence=_SHARE,
        probabilities=_object(**dict.fromkeys(EMOTIONS, _SHARE)),
    ),
    "Event": _object(
        schema=_COUNT,
        camera=_TEXT,
        frame_id=_TEXT,
        captured_ms=_COUNT,
        width=_COUNT,
        height=_COUNT,
        faces=_list(_ref("Face")),
        faces_omitted=_COUNT,
        detect_side=_or_null("integer"),
        latency=_object(**dict.fromkeys(emotion_streams.Latency.__dataclass_fields__, _NUMBER)),
        model=_object(**dict.fromkeys(emotion_streams.Model.__dataclass_fields__, _TEXT)),
    ),
    "Events": _object(camera=_TEXT, events=_list(_ref("Event")), next=_or_null("string")),
    "Second": _object(
        at=_COUNT,
        events=_COUNT,
        faces=_COUNT,
        latency_ms=_NUMBER,
        counts=_list(_COUNT, **_PER_EMOTION),
        means=_list(_NUMBER, **_PER_EMOTION),
    ),
    "History": _object(
        camera=_TEXT,
        last=_TEXT,
        age_ms=_COUNT,
        oldest_ms=_or_null("integer"),
        seconds=_list(_ref("Second")),
    ),
}


def describe(endpoints: Iterable[Endpoint], with_token: bool) -> dict[str, Any]:
    """Return the document. `with_token`: whether the gateway requires one."""
    components: dict[str, Any] = {"schemas": SCHEMAS}
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "emotion-streams gateway",
            "version": emotion_streams.__version__,
            "description": "Emotion events and analysed pictures of cameras, over HTTP.",
        },
        "paths": {endpoint.path: {"get": _operation(endpoint)} for endpoint in endpoints},
        "components": components,
    }
    if with_token:
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "basic": {
                "type": "http",
                "scheme": "basic",
                "description": "Any user, with the token as password.",
            },
        }
        document["security"] = [{"bearer": []}, {"basic": []}]
    return document


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    about = " ".join((inspect.getdoc(endpoint.handler) or "").split())
    schema = _ref(endpoint.schema) if endpoint.schema else {}
    return {
        "operationId": endpoint.handler.__name__,
        "summary": re.split(r"[.;:] ?", about, maxsplit=1)[0],
        "description": about,
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint)],
        "responses": {
            "200": {
                "description": "As asked.",
                "content": {endpoint.media_type: {"schema": schema}},
            },
            "4XX": _failure("The request is wrong, or may not be made."),
            "503": _failure("Not now; Retry-After says when."),
        },
    }


def _path_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _TEXT}
        for name in re.findall(r"\{(\w+)\}", endpoint.path)
    ]


def _query_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    schema = endpoint.query.model_json_schema()
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "description": field.pop("description", ""),
            "schema": field,
            **({"explode": True} if is_list(endpoint.query, name) else {}),
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _failure(about: str) -> dict[str, Any]:
    return {
        "description": about,
        "content": {"application/json": {"schema": _ref("Error")}},
    }
