"""Episodes and minutes in Redis, as a worker commits them."""

from typing import Any

import redis

from emotion_streams import Episode, Minute, keys
from tests import samples


def write_episodes(client: redis.Redis, *ids: str, camera: str = "lobby", **fields: Any) -> None:
    """Write a record of the camera under each id; each is of a track of its own."""
    client.zadd(keys.CAMERAS, {camera: 1})
    for entry_id in ids:
        write_episode(client, samples.episode(camera, track=f"{entry_id}.0", **fields), entry_id)


def write_episode(client: redis.Redis, episode: Episode, entry_id: str = "*") -> str:
    """Return the id of the record's entry."""
    key = keys.episodes(episode.camera)
    written: Any = client.xadd(key, {"episode": episode.pack()}, id=entry_id)
    return str(written.decode())


def write_minutes(client: redis.Redis, *minutes: Minute) -> None:
    for minute in minutes:
        client.zadd(keys.CAMERAS, {minute.camera: 1})
        key = keys.minutes(minute.camera)
        client.xadd(key, {"minute": minute.pack()}, id=f"{minute.start_ms}-0")
