"""Frame: a JPEG picture sent from a camera to a worker, to and from msgpack."""

from dataclasses import dataclass
from typing import Final

from emotion_streams import wire
from emotion_streams.fields import MalformedMessageError
from emotion_streams.jpeg import MAX_SIDE

SCHEMA: Final = 1
MAX_FRAME_BYTES: Final = 16 << 20
"""Maximum size of a packed frame; an 8-megapixel JPEG at high quality is smaller."""

MAX_AHEAD_MS: Final = 86_400_000
"""How far the id of a frame may lie ahead of Redis' clock: more than any wrong time zone. An event
with a later id would make Redis reject every event that follows."""


@dataclass(frozen=True)
class Frame:
    """One picture of a camera.

    `captured_ms`: capture time by the clock of the Redis server (Unix, milliseconds). `width`,
    `height`: size in pixels. `jpeg`: the picture. `session_id`: a random text, new at each start of
    the camera's producer. `seq`: number of the frame among those stored since that start, from 0.
    `capture_drops`: frames captured since that start that never reached Redis (replaced by a newer
    one, or Redis was unreachable). `skipped`: frames left out on purpose since that start.
    `max_age_ms`: an older frame expires instead of being analysed; None if every frame must be
    analysed. `position_ms`: the picture's place in its recording, from the beginning, if it is
    dated by that: `captured_ms` is then the recording's beginning plus this, however fast the
    recording is read. None for a camera.
    """

    captured_ms: int
    width: int
    height: int
    jpeg: bytes
    session_id: str
    seq: int
    capture_drops: int = 0
    skipped: int = 0
    max_age_ms: int | None = None
    position_ms: int | None = None

    def pack(self) -> bytes:
        """Return the frame as msgpack, for the field `frame` of the stream."""
        return wire.pack({"schema": SCHEMA, **vars(self)})

    @classmethod
    def unpack(cls, blob: bytes) -> "Frame":
        """Parse a packed frame, without its JPEG. Raises MalformedMessageError."""
        fields = wire.unpack_flat(blob, MAX_FRAME_BYTES)
        if (schema := fields.integer("schema", 1)) != SCHEMA:
            raise MalformedMessageError(f"schema {schema}, this reader understands {SCHEMA}")
        return cls(
            captured_ms=fields.timestamp_ms("captured_ms"),
            width=fields.integer("width", 1, MAX_SIDE),
            height=fields.integer("height", 1, MAX_SIDE),
            jpeg=fields.binary("jpeg"),
            session_id=fields.text("session_id"),
            seq=fields.integer("seq", 0),
            capture_drops=fields.integer("capture_drops", 0),
            skipped=fields.integer("skipped", 0),
            max_age_ms=fields.integer("max_age_ms", 1) if fields.has("max_age_ms") else None,
            position_ms=fields.timestamp_ms("position_ms") if fields.has("position_ms") else None,
        )
