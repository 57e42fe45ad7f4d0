"""The query parameters of each route: models that validate them and describe them in the API."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    model_validator,
)
from pydantic import WithJsonSchema as JsonSchema

from emotion_streams import Emotion, keys
from emotion_streams.minutes import MINUTE_MS
from emotion_streams.stream_id import PATTERN, StreamId
from gateway import cursor
from gateway.history import SPAN_S
from gateway.query_parsing import Query

_CAMERAS_AT_ONCE = 64
MAX_POINTS: Final = 1500
MAX_POINTS_OF_ALL: Final = 100
"""A day of 25 hours in quarters of an hour."""


def _entry_id(text: str) -> str:
    StreamId.parse(text)
    return text


def _moment(text: Any) -> int:
    """Unix milliseconds from digits, or from an ISO 8601 time with its zone."""
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 15:
        return int(text)
    try:
        moment = datetime.fromisoformat(str(text))
        if moment.tzinfo is None:
            raise ValueError("no zone")
        milliseconds = int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        milliseconds = -1
    if milliseconds < 0:
        raise ValueError(
            "must be Unix milliseconds or ISO 8601 with a zone, for example 2026-01-31T12:00:00Z "
            "(write a + as %2B)"
        )
    return milliseconds


CameraName = Annotated[str, AfterValidator(keys.check_camera)]
EntryId = Annotated[
    str, AfterValidator(_entry_id), JsonSchema({"type": "string", "pattern": f"^{PATTERN}$"})
]
Moment = Annotated[
    int,
    BeforeValidator(_moment),
    JsonSchema({"type": "string", "examples": ["1767225600000", "2026-01-01T00:00:00Z"]}),
]


class EventsQuery(Query):
    """Parameters of a page of events."""

    after: EntryId | Literal["start"] | None = Field(
        None,
        description="Only events after this id; `start` for the oldest kept; default: the newest.",
    )
    limit: int = Field(100, ge=1, le=1000, description="Maximum number of events.")
    emotion: Emotion | None = Field(None, description="Only events with a face of this emotion.")


class TimesQuery(Query):
    """Of a range of times."""

    since: Moment | None = Field(None, alias="from", description="Start time, inclusive.")
    until: Moment | None = Field(None, alias="to", description="Before this time.")


class RangeQuery(TimesQuery):
    """Of a page of what a camera's stream holds, in a range of times."""

    after: EntryId | Literal["start"] | None = Field(
        None,
        description="After this id, the `next` of the page before, or from the start of what is "
        "kept; without, the newest, or with `from` the first of the range.",
    )
    before: EntryId | None = Field(
        None, description="Before this id, the `previous` of the page after."
    )


class EpisodesQuery(RangeQuery):
    """Of a page of episodes."""

    limit: int = Field(100, ge=1, le=1000, description="At most so many records.")
    emotion: Emotion | None = Field(None, description="Only records about it.")
    compact: bool = Field(
        False,
        description="Of each episode only the last of its records in the page: it holds what those "
        "before it say.",
    )


class MinutesQuery(RangeQuery):
    """Of a page of minutes."""

    limit: int = Field(60, ge=1, le=1440, description="At most so many minutes.")


class TrendQuery(Query):
    """Of minutes in longer steps."""

    _most_points: ClassVar[int] = MAX_POINTS
    since: Moment = Field(alias="from", description="From the step that holds this time on.")
    until: Moment = Field(alias="to", description="Up to the step that holds this time.")
    step: int = Field(60, ge=1, le=1440, description="Minutes per point.")

    @model_validator(mode="after")
    def _is_limited(self) -> Self:
        steps = (self.until - self.since) / (self.step * MINUTE_MS)
        if not 0 < steps <= self._most_points:
            raise ValueError(f"from, to: between them are 1 to {self._most_points} steps")
        return self


class TrendsQuery(TrendQuery):
    """Of all cameras' minutes in longer steps."""

    _most_points: ClassVar[int] = MAX_POINTS_OF_ALL


class StreamQuery(Query):
    """Parameters of a live stream of events."""

    camera: tuple[CameraName, ...] = Field(
        (),
        max_length=_CAMERAS_AT_ONCE,
        description="Cameras to include; omit for all, including later ones.",
    )
    after: str | None = Field(
        None,
        max_length=cursor.MAX_CHARACTERS,
        description="Resume position; same as the header Last-Event-ID.",
    )
    kind: tuple[cursor.Kind, ...] = Field(
        (), description="Kinds of messages: emotion (events), episode; omit for both."
    )
    figures: bool = Field(False, description="Also send each camera's status once a second.")


class HistoryQuery(Query):
    """Parameters of the last minutes."""

    seconds: int = Field(SPAN_S, ge=1, le=SPAN_S, description="Seconds before the newest event.")


class ExportQuery(TimesQuery):
    """Parameters of an export."""

    kind: Literal["events", "episodes", "minutes"] = Field(
        "events", description="What to export: events, records of episodes, or minutes."
    )
    format: Literal["csv", "jsonl"] = Field(
        "csv", description="CSV (of events with a row per face), or JSON Lines."
    )
    emotion: Emotion | None = Field(
        None,
        description="Only events with a face that shows it, or records about it. Not of minutes.",
    )


class MjpegQuery(Query):
    """Parameters of one camera's live pictures."""

    fps: float = Field(15, ge=0.1, le=60, description="Maximum pictures per second.")


class PicturesQuery(MjpegQuery):
    """Parameters of several cameras' live pictures."""

    camera: tuple[CameraName, ...] = Field(
        min_length=1, max_length=_CAMERAS_AT_ONCE, description="Cameras to include."
    )
