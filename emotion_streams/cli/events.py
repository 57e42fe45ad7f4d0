"""`emotion-streams tail`: events as they come."""

import argparse
import json
from contextlib import aclosing

from emotion_streams.cli.lookup import warn_of_unknown
from emotion_streams.cli.output import describe
from emotion_streams.subscribe import subscribe_async


async def tail(arguments: argparse.Namespace) -> int:
    """Print events until `--count` are printed."""
    count = 0
    if arguments.cameras:
        await warn_of_unknown(arguments.redis, arguments.cameras)
    events = subscribe_async(arguments.redis, arguments.cameras or None, arguments.after)
    async with aclosing(events):
        async for event in events:
            print(json.dumps(event.to_dict()) if arguments.json else describe(event), flush=True)
            count += 1
            if count == arguments.count:
                break
    return 0
