"""Episode: when a person appeared, showed an emotion, and left; to and from msgpack.

Every record is whole: a reader needs no earlier one. Records with the same `id` describe the same
episode at different times, and `(id, type)` names a record once; only `emotion.updated` repeats.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, TypeVar

from emotion_streams import wire
from emotion_streams.emotions import EMOTIONS, Emotion, parse_emotion
from emotion_streams.faces import Box, parse_box
from emotion_streams.fields import Fields, MalformedMessageError

SCHEMA: Final = 1
MAX_EPISODE_BYTES: Final = 64 << 10

TRACK_GAP_MS: Final = 1_500
"""How long a track is kept without a detection: for this time a person may be in view unseen."""

Member = TypeVar("Member", bound=StrEnum)


class EpisodeType(StrEnum):
    """What a record reports. `face.*` is about a track, `emotion.*` about a steady label of it.

    The records of a track come in the order entered, then for each emotion started, updated...,
    ended, and at last left. At most one emotion is open per track.
    """

    FACE_ENTERED = "face.entered"
    EMOTION_STARTED = "emotion.started"
    EMOTION_UPDATED = "emotion.updated"
    EMOTION_ENDED = "emotion.ended"
    FACE_LEFT = "face.left"


class EndReason(StrEnum):
    """Why an episode ended.

    `gone`: the face was not seen for longer than a track is kept. `changed`: the label changed.
    `camera_down`: the camera sent no frames for longer than a track is kept.
    """

    GONE = "gone"
    CHANGED = "changed"
    CAMERA_DOWN = "camera_down"


@dataclass(frozen=True)
class Episode:
    """One record about a track or one of its emotions.

    All times are capture times (Unix, milliseconds). `id`: `camera/track/number`, the same from
    start to end; number 0 is the track itself. `frame_id`, `decided_ms`: the frame that decided the
    record, and its capture time. `end_ms`: when it was last seen, not when that was noticed; None
    while open. `duration_ms`: from start to end, or to the last sighting while open. `frames`: in
    how many frames it was seen. `box`: the last box; `side_max`: the largest side of a box in
    pixels.

    For `emotion.*`: `emotion`; mean (by time) and peak of its smoothed probability, and when the
    peak was. `probabilities_mean`: means by time of all eight smoothed probabilities, on
    `emotion.ended` and `face.left`. `emotion_ms`: milliseconds per emotion that the steady label
    showed, on `face.left`. `reason`: on `emotion.ended` and `face.left`.

    `start_position_ms`, `end_position_ms`: the start and the end as places in a recording, from its
    beginning; None for a camera, the end also while open.

    `entry_id`: id of the stream entry that the record was read from, to resume after it; None if it
    was not read from a stream. It is not part of the packed record.
    """

    id: str
    type: EpisodeType
    camera: str
    track: str
    frame_id: str
    decided_ms: int
    start_ms: int
    end_ms: int | None
    duration_ms: int
    frames: int
    box: Box
    side_max: float
    emotion: Emotion | None = None
    confidence_mean: float | None = None
    confidence_peak: float | None = None
    peak_ms: int | None = None
    peak_frame_id: str | None = None
    probabilities_mean: Mapping[Emotion, float] | None = None
    emotion_ms: Mapping[Emotion, int] | None = None
    reason: EndReason | None = None
    start_position_ms: int | None = None
    end_position_ms: int | None = None
    schema: int = SCHEMA
    entry_id: str | None = None

    def pack(self) -> bytes:
        """Return the record as msgpack, for the field `episode` of the stream."""
        return wire.pack(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain values, as `pack` packs and `--json` prints them."""
        fields = vars(self).copy()
        del fields["entry_id"]
        fields["type"] = self.type.value
        fields["box"] = [self.box.x, self.box.y, self.box.width, self.box.height]
        for name in ("probabilities_mean", "emotion_ms"):
            fields[name] = None if fields[name] is None else dict(fields[name])
        fields["reason"] = None if self.reason is None else self.reason.value
        return fields

    @classmethod
    def from_stream_entry(
        cls, camera: str, entry_id: bytes, fields: Mapping[bytes, bytes]
    ) -> "Episode | None":
        """Return the record of an entry in the camera's stream.

        None if the entry cannot be parsed or names another camera.
        """
        try:
            episode = cls.unpack(fields[b"episode"])
        except (MalformedMessageError, KeyError):
            return None
        if episode.camera != camera:
            return None
        return replace(episode, entry_id=entry_id.decode())

    @classmethod
    def unpack(cls, blob: bytes) -> "Episode":
        """Parse a packed record. Raises MalformedMessageError.

        Fields that a later version of the same schema adds are ignored.
        """
        fields = wire.unpack(blob, MAX_EPISODE_BYTES)
        if (schema := fields.integer("schema", 1)) != SCHEMA:
            raise MalformedMessageError(f"schema {schema}, this reader understands {SCHEMA}")
        has = fields.has
        return cls(
            id=fields.text("id"),
            type=_member(EpisodeType, fields.text("type"), "type"),
            camera=fields.text("camera"),
            track=fields.text("track"),
            frame_id=fields.text("frame_id"),
            decided_ms=fields.timestamp_ms("decided_ms"),
            start_ms=fields.timestamp_ms("start_ms"),
            end_ms=fields.timestamp_ms("end_ms") if has("end_ms") else None,
            duration_ms=fields.timestamp_ms("duration_ms"),
            frames=fields.integer("frames", 0),
            box=parse_box(fields),
            side_max=fields.number("side_max", 0),
            emotion=parse_emotion(fields.text("emotion")) if has("emotion") else None,
            confidence_mean=_share(fields, "confidence_mean"),
            confidence_peak=_share(fields, "confidence_peak"),
            peak_ms=fields.timestamp_ms("peak_ms") if has("peak_ms") else None,
            peak_frame_id=fields.text("peak_frame_id") if has("peak_frame_id") else None,
            probabilities_mean=emotion_shares(fields, "probabilities_mean"),
            emotion_ms=emotion_counts(fields, "emotion_ms"),
            reason=_member(EndReason, fields.text("reason"), "reason") if has("reason") else None,
            start_position_ms=_place(fields, "start_position_ms"),
            end_position_ms=_place(fields, "end_position_ms"),
        )


def emotion_shares(fields: Fields, name: str) -> dict[Emotion, float] | None:
    """Return a map of the eight emotions to numbers from 0 to 1; None if the field is absent."""
    if not fields.has(name):
        return None
    values = fields.map(name)
    return {emotion: values.number(emotion, 0, 1) for emotion in EMOTIONS}


def emotion_counts(fields: Fields, name: str) -> dict[Emotion, int] | None:
    """Return a map of the eight emotions to integers from 0; None if the field is absent."""
    if not fields.has(name):
        return None
    values = fields.map(name)
    return {emotion: values.integer(emotion, 0) for emotion in EMOTIONS}


def _share(fields: Fields, name: str) -> float | None:
    return fields.number(name, 0, 1) if fields.has(name) else None


def _place(fields: Fields, name: str) -> int | None:
    return fields.timestamp_ms(name) if fields.has(name) else None


def _member(kind: type[Member], text: str, name: str) -> Member:
    try:
        return kind(text)
    except ValueError:
        raise MalformedMessageError(
            f"field {name} {text[:40]!r} is not one of {', '.join(kind)}"
        ) from None
