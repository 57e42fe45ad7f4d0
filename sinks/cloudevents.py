"""CloudEvents 1.0 in structured JSON, signed as Standard Webhooks says."""

import base64
import hashlib
import hmac
import json
from binascii import Error
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from emotion_streams import Episode
from emotion_streams.stream_id import StreamId
from sinks.records import Record
from sinks.states import CameraSnapshot

CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
_PREFIX: Final = "emotion-streams"
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - not a secret itself
_DIGITS: Final = 20
"""As many digits as the numbers of a stream's id may have."""


def of_record(record: Record) -> dict[str, Any]:
    """Return the event of a record. `id` is the same whenever the record is sent."""
    event = {
        **_head(record.id, record.camera, record.type, record.time_ms),
        # Receivers compare sequences as text.
        "sequence": "-".join(f"{part:0{_DIGITS}}" for part in StreamId.parse(record.entry_id)),
        "data": record.body.to_dict(),
    }
    if isinstance(record.body, Episode):
        event["subject"] = record.body.track
    return event


def of_state(camera: CameraSnapshot, now_ms: int) -> dict[str, Any]:
    """Return the event of a camera's changed state, as it was observed at `now_ms`."""
    head = _head(
        f"{camera.camera}/{now_ms}/camera", camera.camera, f"camera.{camera.state}", now_ms
    )
    data = {"camera": camera.camera, "state": camera.state, "error": camera.error}
    return {**head, "data": data}


def to_body(event: Mapping[str, Any]) -> bytes:
    """Return the event as the body of a request."""
    return json.dumps(event, separators=(",", ":")).encode()


def sign(secret: str, event_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """Return the headers of a signed request: webhook-id, -timestamp and -signature.

    The signature is `v1,` and the base64 of the HMAC-SHA256 of `id.timestamp.body`. A secret that
    begins with `whsec_` is the base64 of the key, any other is the key itself.
    """
    message = f"{event_id}.{timestamp_s}.".encode() + body
    digest = hmac.new(_key(secret), message, hashlib.sha256).digest()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def _head(event_id: str, camera: str, kind: str, time_ms: int) -> dict[str, Any]:
    time = datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": f"/cameras/{camera}",
        "type": f"{_PREFIX}.{kind}",
        "time": time.replace("+00:00", "Z"),
        "datacontenttype": "application/json",
    }


def _key(secret: str) -> bytes:
    if secret.startswith(_SECRET_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
        except Error:
            pass
    return secret.encode()
