"""`emotion-streams minutes`: people and emotions by the minute."""

import argparse
import csv
import json
import sys
import time
from collections.abc import Sequence

from emotion_streams.cli.lookup import cameras_with
from emotion_streams.cli.output import by_emotion, local_time, print_table, seconds
from emotion_streams.cli.reading import Reading
from emotion_streams.connection import connect_async
from emotion_streams.flat import MINUTE_COLUMNS, minute_row
from emotion_streams.minutes import Minute
from emotion_streams.stream_kinds import MINUTES


async def minutes(arguments: argparse.Namespace) -> int:
    """Print the minutes of a time. Returns 1 if a camera's cannot be read."""
    since_ms = time.time_ns() // 1_000_000 - arguments.since
    async with connect_async(arguments.redis) as client:
        reading = Reading(client, MINUTES, since_ms)
        cameras = await cameras_with(client, MINUTES, arguments.cameras)
        found = [minute for camera in cameras async for minute in reading.items(camera)]
    if arguments.json:
        for minute in found:
            print(json.dumps(minute.to_dict()))
    elif arguments.csv:
        csv.writer(sys.stdout).writerows([MINUTE_COLUMNS, *map(minute_row, found)])
    else:
        print_table(
            ("camera", "minute", "frames", "lost", "seen", "people", "most", "came", "left",
             "stay", "emotions"),
            map(_cells, found),
        )  # fmt: skip
    return 1 if reading.unreadable else 0


def _cells(minute: Minute) -> Sequence[str]:
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
    counts = map(str, (people.people_max, people.entered, people.left))
    emotions = by_emotion(people.emotion_ms.items())
    return (*head, f"{people.people_mean:.1f}", *counts, stay, emotions)
