"""What tracking knows of a camera after its last committed frame."""

from dataclasses import dataclass, field
from typing import Final

from emotion_streams import wire
from emotion_streams.fields import MalformedMessageError
from worker.tracking import packing
from worker.tracking.constants import MAX_STATE_BYTES, MAX_TRACKS
from worker.tracking.parts import MinuteSums, Person, Tracks

SCHEMA: Final = 1
"""It is incremented when an existing worker would misinterpret a new state."""


@dataclass(frozen=True)
class TrackingState:
    """The state of a camera, which travels with it from worker to worker.

    `session_id`, `seq`: those of the last frame (see Frame); empty and -1 before the first.
    `recorded_ms`: when its recording began (Unix, milliseconds); None if it is not of a recording.
    """

    camera: str
    tracks: Tracks = field(default_factory=Tracks)
    people: tuple[Person, ...] = ()
    minute: MinuteSums = field(default_factory=MinuteSums)
    session_id: str = ""
    seq: int = -1
    recorded_ms: int | None = None

    @classmethod
    def empty(cls, camera: str) -> "TrackingState":
        """Return the state of a camera without a frame."""
        return cls(camera)

    @property
    def is_open(self) -> bool:
        """Whether a track or a minute is open, which the owner has to close."""
        return bool(self.people) or self.minute.start_ms is not None

    def pack(self) -> bytes:
        """Return the state as msgpack. Every person needs a track of the same id."""
        people = {person.id: person for person in self.people}
        return wire.pack(
            {
                "schema": SCHEMA,
                "camera": self.camera,
                "frame_id": self.tracks.last_frame_id,
                "clock_ms": self.tracks.clock_ms,
                "tracks": [
                    packing.pack_track(each, people.get(each.id)) for each in self.tracks.items
                ],
                "minute": packing.pack_minute(self.minute),
                "session_id": self.session_id,
                "seq": self.seq,
                "recorded_ms": self.recorded_ms,
            }
        )

    @classmethod
    def unpack(cls, camera: str, blob: bytes) -> "TrackingState":
        """Parse a packed state of this camera.

        Raises MalformedMessageError, also for a newer schema.
        """
        fields = wire.unpack(blob, MAX_STATE_BYTES)
        if (schema := fields.integer("schema", 1)) != SCHEMA:
            raise MalformedMessageError(f"schema {schema}, this worker understands {SCHEMA}")
        if fields.text("camera") != camera:
            raise MalformedMessageError(f"the state of another camera than {camera}")
        tracks = fields.maps("tracks", MAX_TRACKS)
        items = tuple(map(packing.parse_track, tracks))
        people = tuple(packing.parse_person(each) for each in tracks if each.has("person"))
        clock_ms = fields.timestamp_ms("clock_ms")
        if len({track.id for track in items}) < len(items):
            raise MalformedMessageError("field tracks holds an id twice")
        last = [*(track.last_ms for track in items), *(person.last_ms for person in people)]
        if max(last, default=0) > clock_ms:
            raise MalformedMessageError("field tracks holds a time after the last frame")
        return cls(
            camera,
            Tracks(packing.frame_id(fields, "frame_id"), clock_ms, items),
            people,
            packing.parse_minute(fields.map("minute")),
            fields.text("session_id"),
            fields.integer("seq", -1),
            fields.timestamp_ms("recorded_ms") if fields.has("recorded_ms") else None,
        )
