"""`emotion-streams episodes` and `minutes`: people over time."""

import argparse
import csv
import json
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Generic, TypeVar

from redis.exceptions import ResponseError

from emotion_streams.backoff import is_wrong_type
from emotion_streams.cli.lookup import cameras_with, warn_of_unknown
from emotion_streams.cli.output import (
    by_emotion,
    local_time,
    print_table,
    seconds,
    short_track,
)
from emotion_streams.connection import Client, connect_async
from emotion_streams.episodes import Episode, EpisodeType
from emotion_streams.flat import MINUTE_COLUMNS, minute_row
from emotion_streams.minutes import Minute
from emotion_streams.printable import printable
from emotion_streams.ranges import read_range
from emotion_streams.redaction import short_message
from emotion_streams.stream_kinds import EPISODES, MINUTES, StreamKind
from emotion_streams.subscribe import NOW, subscribe_episodes_async

_HOUR_MS = 3_600_000

Item = TypeVar("Item")


async def episodes(arguments: argparse.Namespace) -> int:
    """Print the episodes of a time, or follow them. Returns 1 if a camera's cannot be read."""
    if arguments.follow:
        return await _follow(arguments)
    since_ms = _now_ms() - (arguments.since if arguments.since is not None else _HOUR_MS)
    newest: dict[str, Episode] = {}
    async with connect_async(arguments.redis) as client:
        reading = _Reading(client, EPISODES, since_ms)
        async for episode in reading.items(arguments.cameras):
            if arguments.json:
                print(json.dumps(episode.to_dict()))
            else:
                newest[episode.id] = episode  # each record is whole: the last one says all
    if not arguments.json:
        print_table(
            ("camera", "track", "shows", "from", "to", "for", "confidence", "ended"),
            map(_episode_cells, newest.values()),
        )
    return 1 if reading.unreadable else 0


async def _follow(arguments: argparse.Namespace) -> int:
    if arguments.cameras:
        await warn_of_unknown(arguments.redis, arguments.cameras)
    after = NOW if arguments.since is None else f"{max(0, _now_ms() - arguments.since)}-0"
    records = subscribe_episodes_async(arguments.redis, arguments.cameras or None, after)
    async with aclosing(records):
        async for record in records:
            shown = json.dumps(record.to_dict()) if arguments.json else describe_episode(record)
            print(shown, flush=True)
    return 0


async def minutes(arguments: argparse.Namespace) -> int:
    """Print the minutes of a time. Returns 1 if a camera's cannot be read."""
    async with connect_async(arguments.redis) as client:
        reading = _Reading(client, MINUTES, _now_ms() - arguments.since)
        found = [minute async for minute in reading.items(arguments.cameras)]
    if arguments.json:
        for minute in found:
            print(json.dumps(minute.to_dict()))
    elif arguments.csv:
        csv.writer(sys.stdout).writerows([MINUTE_COLUMNS, *map(minute_row, found)])
    else:
        print_table(
            ("camera", "minute", "frames", "lost", "seen", "people", "most", "came", "left",
             "stay", "emotions"),
            map(_minute_cells, found),
        )  # fmt: skip
    return 1 if reading.unreadable else 0


class _Reading(Generic[Item]):
    """Reads one kind of stream of several cameras; `unreadable` counts those that hold no stream.

    One camera's nonsense hides no other camera.
    """

    def __init__(self, client: Client, kind: StreamKind[Item], since_ms: int) -> None:
        self._client = client
        self._kind = kind
        self._since_ms = max(0, since_ms)
        self.unreadable = 0

    async def items(self, named: list[str]) -> AsyncGenerator[Item, None]:
        """Yield the items of the named cameras, of all if none is named; camera by camera."""
        for camera in await cameras_with(self._client, self._kind, named):
            try:
                async for item in read_range(self._client, self._kind, camera, self._since_ms):
                    yield item
            except ResponseError as error:
                if not is_wrong_type(error):
                    raise
                self.unreadable += 1
                reason = printable(short_message(error))
                print(f"emotion-streams: camera {camera}: {reason}", file=sys.stderr)


def describe_episode(episode: Episode) -> str:
    """Format a record as one readable line."""
    about = f"{episode.emotion or 'face'}{_share(episode.confidence_mean, ' {:.0%}')}"
    if episode.emotion_ms is not None:
        about = by_emotion(episode.emotion_ms.items())
    reason = "" if episode.reason is None else f"  ({episode.reason})"
    return (
        f"{local_time(episode.decided_ms)}  {episode.camera}  {short_track(episode.track)}  "
        f"{episode.type:<15}  {about}  {seconds(episode.duration_ms)}{reason}"
    )


def _episode_cells(episode: Episode) -> Sequence[str]:
    return (
        episode.camera,
        short_track(episode.track),
        episode.emotion or "in view",
        local_time(episode.start_ms),
        "-" if episode.end_ms is None else local_time(episode.end_ms),
        # An open track has only its first record, which does not grow.
        "-" if episode.type is EpisodeType.FACE_ENTERED else seconds(episode.duration_ms),
        _share(episode.confidence_mean, "{:.0%}") or "-",
        episode.reason or "-",
    )


def _minute_cells(minute: Minute) -> Sequence[str]:
    head = (
        minute.camera,
        local_time(minute.start_ms),
        str(minute.frames),
        str(minute.frames_lost),
        f"{minute.coverage:.0%}",
    )
    if (people := minute.people) is None:
        return (*head, *"------")
    stay = "-" if people.dwell_ms_p50 is None else seconds(people.dwell_ms_p50)
    counts = map(str, (people.faces_max, people.entered, people.left))
    emotions = by_emotion(people.emotion_ms.items())
    return (*head, f"{people.faces_mean:.1f}", *counts, stay, emotions)


def _share(share: float | None, form: str) -> str:
    return "" if share is None else form.format(share)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
