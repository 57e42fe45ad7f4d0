"""`emotion-streams episodes`: who was in view, and which emotions showed."""

import argparse
import json
import time
from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

from emotion_streams.cli.in_view import History, Row, read_in_view
from emotion_streams.cli.lookup import cameras_with, warn_of_unknown
from emotion_streams.cli.output import by_emotion, local_time, print_table, seconds, short_track
from emotion_streams.cli.reading import Reading
from emotion_streams.connection import connect_async
from emotion_streams.episodes import Episode, EpisodeType
from emotion_streams.stream_kinds import EPISODES
from emotion_streams.subscribe import NOW, subscribe_episodes_async

_HOUR_MS: Final = 3_600_000

_BEGINNINGS: Final = (EpisodeType.FACE_ENTERED, EpisodeType.EMOTION_STARTED)


async def episodes(arguments: argparse.Namespace) -> int:
    """Print the episodes of a time, or follow them. Returns 1 if a camera's cannot be read.

    Raises ValueError for options that contradict each other.
    """
    if arguments.follow:
        return await _follow(arguments)
    if arguments.after is not None:
        raise ValueError("--after needs --follow")
    since_ms = _now_ms() - (arguments.since if arguments.since is not None else _HOUR_MS)
    if arguments.json:
        return await _print_records(arguments, since_ms)
    return await _print_rows(arguments, since_ms)


async def _print_records(arguments: argparse.Namespace, since_ms: int) -> int:
    async with connect_async(arguments.redis) as client:
        reading = Reading(client, EPISODES, since_ms)
        for camera in await cameras_with(client, EPISODES, arguments.cameras):
            async for record in reading.items(camera):
                print(_as_json(record))
    return 1 if reading.unreadable else 0


async def _print_rows(arguments: argparse.Namespace, since_ms: int) -> int:
    rows: list[Row] = []
    async with connect_async(arguments.redis) as client:
        reading = Reading(client, EPISODES)  # an episode that goes on may have begun long ago
        for camera in await cameras_with(client, EPISODES, arguments.cameras):
            in_view, history = await read_in_view(client, camera), History(since_ms)
            async for record in reading.items(camera):
                history.add(record)
            rows += history.rows(in_view)
    print_table(
        ("camera", "track", "shows", "from", "to", "for", "confidence", "ended"),
        map(_cells, rows),
    )
    return 1 if reading.unreadable else 0


async def _follow(arguments: argparse.Namespace) -> int:
    if arguments.after is not None and arguments.since is not None:
        raise ValueError("--after and --since contradict each other")
    if arguments.cameras:
        await warn_of_unknown(arguments.redis, arguments.cameras)
    after = arguments.after or NOW
    if arguments.since is not None:
        after = f"{max(0, _now_ms() - arguments.since)}-0"
    records = subscribe_episodes_async(arguments.redis, arguments.cameras or None, after)
    async with aclosing(records):
        async for record in records:
            print(_as_json(record) if arguments.json else describe_episode(record), flush=True)
    return 0


def describe_episode(episode: Episode) -> str:
    """Format a record as one readable line."""
    about = f"{episode.emotion or 'face'}{_share(episode.confidence_mean, ' {:.0%}')}"
    if episode.emotion_ms is not None:
        about = by_emotion(episode.emotion_ms.items())
    duration = "" if episode.type in _BEGINNINGS else f"  {seconds(episode.duration_ms)}"
    reason = "" if episode.reason is None else f"  ({episode.reason})"
    return (
        f"{local_time(episode.decided_ms)}  {episode.camera}  {short_track(episode.track)}  "
        f"{episode.type:<15}  {about}{duration}{reason}"
    )


def _cells(row: Row) -> Sequence[str]:
    episode = row.record
    end = "-" if episode.end_ms is None else local_time(episode.end_ms)
    duration, reason = seconds(episode.duration_ms), str(episode.reason or "-")
    if row.goes_on:
        duration = seconds(row.seen_ms - episode.start_ms)
    elif episode.end_ms is None and row.goes_on is False:
        end, duration, reason = f"after {local_time(row.seen_ms)}", "-", "unknown"
    elif episode.type in _BEGINNINGS:
        duration = "-"
    return (
        episode.camera,
        short_track(episode.track),
        episode.emotion or "in view",
        local_time(episode.start_ms),
        end,
        duration,
        _share(episode.confidence_mean, "{:.0%}") or "-",
        reason,
    )


def _as_json(record: Episode) -> str:
    return json.dumps({**record.to_dict(), "entry_id": record.entry_id})


def _share(share: float | None, form: str) -> str:
    return "" if share is None else form.format(share)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
