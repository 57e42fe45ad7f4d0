"""Minute: what a camera saw in one minute, to and from msgpack."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from emotion_streams import wire
from emotion_streams.emotions import Emotion
from emotion_streams.episodes import emotion_counts, emotion_shares
from emotion_streams.fields import Fields, MalformedMessageError

SCHEMA: Final = 1
MINUTE_MS: Final = 60_000
MAX_MINUTE_BYTES: Final = 16 << 10


@dataclass(frozen=True)
class People:
    """The part of a minute that is about people. Everything is weighted by time, not by frames.

    `people_mean`: people in view on average, see `people_mean()`. `people_max`: most people in view
    at once, which is most tracks that one frame showed; of a camera that is too slow for tracks,
    most faces. `faces_mean`, `faces_max`: detected faces, over the time that was seen. `tracks`:
    how many tracks were in view at some time; `entered`, `left`: how many began and ended.
    `face_ms`: sum over the tracks of the time in view. `emotion_ms`: of that, how long each steady
    label showed; the rest was uncertain. `probabilities_mean`: means of the smoothed probabilities
    over `face_ms`; None without a face. `episodes`: how many emotion episodes started.
    `dwell_ms_p50`: median time in view of the tracks that left, from their first frame on; None if
    none left.
    """

    people_mean: float
    people_max: int
    faces_mean: float
    faces_max: int
    tracks: int
    entered: int
    left: int
    face_ms: int
    emotion_ms: Mapping[Emotion, int]
    probabilities_mean: Mapping[Emotion, float] | None
    episodes: Mapping[Emotion, int]
    dwell_ms_p50: int | None


@dataclass(frozen=True)
class Minute:
    """A minute of a camera by capture time (UTC).

    `start_ms`: its beginning (Unix, milliseconds), a multiple of 60,000. `frames`: analysed frames.
    `frames_lost`: frames that ended in another way meanwhile. `coverage`: the share of the minute
    that was seen, 0 to 1. `people`: None if never as many as `--min-people` people were in
    view at once. A minute without a frame has no record.
    """

    camera: str
    start_ms: int
    frames: int
    frames_lost: int
    coverage: float
    people: People | None
    schema: int = SCHEMA

    def pack(self) -> bytes:
        """Return the minute as msgpack, for the field `minute` of the stream."""
        return wire.pack(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return the minute as plain values, as `pack` packs and `--json` prints them."""
        fields = vars(self).copy()
        if self.people is not None:
            fields["people"] = vars(self.people) | {
                "emotion_ms": dict(self.people.emotion_ms),
                "episodes": dict(self.people.episodes),
                "probabilities_mean": self.people.probabilities_mean
                and dict(self.people.probabilities_mean),
            }
        return fields

    @classmethod
    def from_stream_entry(
        cls, camera: str, entry_id: bytes, fields: Mapping[bytes, bytes]
    ) -> "Minute | None":
        """Return the minute of an entry in the camera's stream.

        None if the entry cannot be parsed, or names another camera or time.
        """
        try:
            minute = cls.unpack(fields[b"minute"])
        except (MalformedMessageError, KeyError):
            return None
        matches = (minute.camera, f"{minute.start_ms}-0") == (camera, entry_id.decode())
        return minute if matches else None

    @classmethod
    def unpack(cls, blob: bytes) -> "Minute":
        """Parse a packed minute. Raises MalformedMessageError.

        Fields that a later version of the same schema adds are ignored.
        """
        fields = wire.unpack(blob, MAX_MINUTE_BYTES)
        if (schema := fields.integer("schema", 1)) != SCHEMA:
            raise MalformedMessageError(f"schema {schema}, this reader understands {SCHEMA}")
        coverage = fields.number("coverage", 0, 1)
        return cls(
            camera=fields.text("camera"),
            start_ms=fields.timestamp_ms("start_ms"),
            frames=fields.integer("frames", 0),
            frames_lost=fields.integer("frames_lost", 0),
            coverage=coverage,
            people=_people(fields.map("people"), coverage) if fields.has("people") else None,
        )


def people_mean(faces_mean: float, tracks: int, face_ms: int, coverage: float) -> float:
    """Return how many people were in view on average over the time that was seen.

    People are tracks: a track that single frames miss is in view in these, too. In a minute without
    a track they are faces, because the camera may be too slow for tracks.
    """
    if not tracks or not coverage:
        return faces_mean
    return min(float(tracks), face_ms / (MINUTE_MS * coverage))


def _people(fields: Fields, coverage: float) -> People:
    faces_mean, faces_max = fields.number("faces_mean", 0), fields.integer("faces_max", 0)
    tracks, face_ms = fields.integer("tracks", 0), fields.integer("face_ms", 0)
    # A minute of an older release lacks both. There were not more people than faces or tracks.
    most = min(faces_max, tracks) if tracks else faces_max
    mean = people_mean(faces_mean, tracks, face_ms, coverage)
    return People(
        people_mean=fields.number("people_mean", 0) if fields.has("people_mean") else mean,
        people_max=fields.integer("people_max", 0) if fields.has("people_max") else most,
        faces_mean=faces_mean,
        faces_max=faces_max,
        tracks=tracks,
        entered=fields.integer("entered", 0),
        left=fields.integer("left", 0),
        face_ms=face_ms,
        emotion_ms=_required(emotion_counts(fields, "emotion_ms"), "emotion_ms"),
        probabilities_mean=emotion_shares(fields, "probabilities_mean"),
        episodes=_required(emotion_counts(fields, "episodes"), "episodes"),
        dwell_ms_p50=fields.integer("dwell_ms_p50", 0) if fields.has("dwell_ms_p50") else None,
    )


def _required(counts: dict[Emotion, int] | None, name: str) -> dict[Emotion, int]:
    if counts is None:
        raise MalformedMessageError(f"field {name} is missing")
    return counts
