"""People over time: what the last hour of a camera was like, then each emotion as it ends.

`python examples/people.py CAMERA [REDIS_URL]`.
"""

import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from emotion_streams import Client, EpisodeType


def main(camera: str, url: str = "redis://localhost:6379") -> None:
    with Client(url) as client:
        for minute in client.read_minutes(camera, start=datetime.now(UTC) - timedelta(hours=1)):
            # None if never as many people were in view as the worker's --min-people.
            if (people := minute.people) is not None and people.face_ms:
                at = datetime.fromtimestamp(minute.start_ms / 1000, UTC).astimezone()
                # Nothing shows for long enough while every label is uncertain.
                most = max(people.emotion_ms, key=lambda emotion: people.emotion_ms[emotion])
                mostly = f", mostly {most}" if people.emotion_ms[most] else ""
                print(f"{at:%H:%M}  {people.people_mean:.1f} people{mostly}", flush=True)
        for episode in client.subscribe_episodes(camera):
            if episode.type is EpisodeType.EMOTION_ENDED:
                seconds = episode.duration_ms / 1000
                print(f"{episode.track} showed {episode.emotion} for {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(*sys.argv[1:])
