"""Which records a sink gets."""

import time

from emotion_streams import Episode
from sinks.options import SinkOptions
from sinks.records import Record


def passes(record: Record, options: SinkOptions, now_ms: float | None = None) -> bool:
    """Return whether the sink wants the record. `now_ms`: Unix time, this machine's if None."""
    if options.max_age_s is not None:
        now_ms = time.time() * 1000 if now_ms is None else now_ms
        if now_ms - record.time_ms > options.max_age_s * 1000:
            return False
    return not isinstance(record.body, Episode) or _passes(record.body, options)


def _passes(episode: Episode, options: SinkOptions) -> bool:
    if options.types is not None and episode.type not in options.types:
        return False
    # Records about a track as a whole have no emotion, and no emotion filter concerns them.
    if options.emotions is not None and episode.emotion not in (None, *options.emotions):
        return False
    return episode.duration_ms >= options.min_duration_ms
