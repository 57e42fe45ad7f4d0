"""EmotionEvent: the faces and emotions that a worker found in one frame, to and from msgpack."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from emotion_streams import wire
from emotion_streams.faces import Face, parse_face
from emotion_streams.fields import YEAR_2200_MS, MalformedMessageError

SCHEMA: Final = 1
"""Version of the event's layout. It is incremented when an existing reader would misinterpret the
new layout."""

MAX_EVENT_BYTES: Final = 1 << 20
MAX_FACES: Final = 1024


@dataclass(frozen=True)
class Latency:
    """Breakdown of the time between capture and event, in milliseconds.

    `queue_ms`: from capture until a worker starts the frame (encoding and Redis included);
    `decode_ms`, `detect_ms`, `classify_ms`: time in each stage; `wait_ms`: waiting for a thread or
    a batch between the stages; `total_ms`: from capture to commit. A difference between the
    machines' clocks affects `queue_ms` and `total_ms`, which are never below 0. For a frame of a
    recording (`position_ms`), `queue_ms` is 0 and `total_ms` begins with the frame's start: its
    capture time says nothing about when it was stored.
    """

    queue_ms: float
    wait_ms: float
    decode_ms: float
    detect_ms: float
    classify_ms: float
    total_ms: float


@dataclass(frozen=True)
class Model:
    """The models behind an event: the classifier's name and version, the face detector's name."""

    name: str
    version: str
    detector: str


@dataclass(frozen=True)
class EmotionEvent:
    """The result of analysing one frame.

    `frame_id`: the Redis stream id of both the frame and the event. `captured_ms`: capture time
    (Unix, milliseconds). `width`, `height`: size of the analysed picture in pixels. `faces`: may be
    empty. `faces_omitted`: number of detected faces beyond the number that a worker classifies in
    one frame; the smallest are omitted. `detect_side`: length of the longer side in pixels to which
    larger pictures are reduced for detection, None if the worker does not report it.
    `position_ms`: place of the frame in its recording, from the beginning; None for a camera.
    """

    camera: str
    frame_id: str
    captured_ms: int
    width: int
    height: int
    faces: tuple[Face, ...]
    latency: Latency
    model: Model
    faces_omitted: int = 0
    detect_side: int | None = None
    position_ms: int | None = None
    schema: int = SCHEMA

    def pack(self) -> bytes:
        """Return the event as msgpack, for the field `event` of the stream."""
        return wire.pack(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return the event as plain values, as `pack` packs and `--json` prints them."""
        return {
            "schema": self.schema,
            "camera": self.camera,
            "frame_id": self.frame_id,
            "captured_ms": self.captured_ms,
            "width": self.width,
            "height": self.height,
            "faces": [face.to_dict() for face in self.faces],
            "faces_omitted": self.faces_omitted,
            "detect_side": self.detect_side,
            "position_ms": self.position_ms,
            "latency": vars(self.latency).copy(),
            "model": vars(self.model).copy(),
        }

    @classmethod
    def from_stream_entry(
        cls, camera: str, entry_id: bytes, fields: Mapping[bytes, bytes]
    ) -> "EmotionEvent | None":
        """Return the event of an entry in the camera's stream, or None.

        It is None if the entry cannot be parsed, or if the event names another camera or id than
        the entry: a newer version or a foreign program wrote it.
        """
        try:
            event = cls.unpack(fields[b"event"])
        except (MalformedMessageError, KeyError):
            return None
        return event if (event.camera, event.frame_id) == (camera, entry_id.decode()) else None

    @classmethod
    def unpack(cls, blob: bytes) -> "EmotionEvent":
        """Parse a packed event. Raises MalformedMessageError.

        Fields that a later version of the same schema adds are ignored.
        """
        fields = wire.unpack(blob, MAX_EVENT_BYTES)
        if (schema := fields.integer("schema", 1)) != SCHEMA:
            raise MalformedMessageError(f"schema {schema}, this reader understands {SCHEMA}")
        latency = fields.map("latency")
        model = fields.map("model")
        return cls(
            camera=fields.text("camera"),
            frame_id=fields.text("frame_id"),
            captured_ms=fields.timestamp_ms("captured_ms"),
            width=fields.integer("width", 1),
            height=fields.integer("height", 1),
            faces=tuple(parse_face(face) for face in fields.maps("faces", MAX_FACES)),
            latency=Latency(
                # The bounds keep sums over events finite.
                **{
                    name: latency.number(name, 0, YEAR_2200_MS)
                    for name in Latency.__dataclass_fields__
                }
            ),
            model=Model(**{name: model.text(name) for name in Model.__dataclass_fields__}),
            # Absent from events of earlier workers.
            faces_omitted=fields.integer("faces_omitted", 0) if fields.has("faces_omitted") else 0,
            detect_side=fields.integer("detect_side", 1) if fields.has("detect_side") else None,
            position_ms=fields.timestamp_ms("position_ms") if fields.has("position_ms") else None,
        )
