"""The name of every Redis key, one function each.

The braces are Redis Cluster hash tags: all keys of a camera are on one shard, so that one script
can use them together.
"""

import re
from typing import Final

CAMERAS: Final = "cameras"
"""Sorted set: camera name, scored by its producer's last heartbeat (Unix, milliseconds)."""

ANALYSED: Final = "analysed:{cameras}"
"""Sorted set: names of cameras of which a frame was analysed, scored by the last time that a worker
owned them (Unix, milliseconds). Producers cannot write it. It is on the shard of CAMERAS."""

WORKERS: Final = "workers"
"""Sorted set: `weight@worker`, scored by the expiry of its heartbeat (Unix, milliseconds)."""

GROUP: Final = "workers"
"""The consumer group of every frames stream."""

_CAMERA_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


def check_camera(camera: str) -> str:
    """Return the name. Raises ValueError if it cannot be part of a key, a label and a file name."""
    if not _CAMERA_NAME.fullmatch(camera):
        raise ValueError(
            f"camera name {camera!r}: use up to 63 letters, digits, '_', '.' and '-', "
            "starting with a letter or a digit"
        )
    return camera


def frames(camera: str) -> str:
    """Return the key of the stream of frames not yet analysed; field `frame`: a packed Frame."""
    return f"frames:{{{camera}}}"


def emotions(camera: str) -> str:
    """Return the key of the stream of events.

    The field `event` holds a packed EmotionEvent; the id of an entry is that of its frame.
    """
    return f"emotions:{{{camera}}}"


def lease(camera: str) -> str:
    """Return the key of the hash of the camera's owner and the state that owners pass on.

    owner, epoch, expires_ms: the worker that owns the camera. strikes: how many workers in a row
    crashed on frames that were trimmed afterwards; struck_ms: time of the last such crash;
    set_aside: how often the strikes reached the limit.
    """
    return f"lease:{{{camera}}}"


def ledger(camera: str) -> str:
    """Return the key of the hash of counts: frames by outcome."""
    return f"ledger:{{{camera}}}"


def dead(camera: str) -> str:
    """Return the key of the stream of dead letters.

    An entry holds frame id, reason, size and deliveries of a frame; never its pixels.
    """
    return f"dead:{{{camera}}}"


def camera_info(camera: str) -> str:
    """Return the key of the hash of the producer's reports.

    state, fps, width, height, codec, policy, title, group, last_frame_ms, error.
    """
    return f"camera:{{{camera}}}"


def tracks(camera: str) -> str:
    """Return the key of the hash of the tracking state after the last committed frame.

    version: grows with each change. state: a packed TrackingState. people: its open tracks. open: 1
    while a track or a minute is open, so that the camera needs an owner that closes it.
    """
    return f"tracks:{{{camera}}}"


def episodes(camera: str) -> str:
    """Return the key of the stream of episodes; field `episode`: a packed Episode."""
    return f"episodes:{{{camera}}}"


def minutes(camera: str) -> str:
    """Return the key of the stream of minutes; field `minute`: a packed Minute.

    The id of an entry is the minute's start in milliseconds.
    """
    return f"minutes:{{{camera}}}"


_CAMERA_KEYS: Final = (
    frames, emotions, lease, ledger, dead, camera_info, tracks, episodes, minutes,
)  # fmt: skip


def camera_keys(camera: str) -> list[str]:
    """Return the KEYS of every script about a camera, in this order."""
    return [key(camera) for key in _CAMERA_KEYS]


def sink_places(sink: str) -> str:
    """Return the key of the hash of a sink's places: per stream, the id of the last entry done.

    Sinks into a database store their places there.
    """
    return f"sink:{{{sink}}}"


def sink_cameras(sink: str) -> str:
    """Return the key of the set of cameras that a sink has announced to its target."""
    return f"sink-cameras:{{{sink}}}"


def sink_dead(sink: str) -> str:
    """Return the key of the stream of records that the sink's target refused.

    An entry holds kind, id, camera, reason and the record as JSON.
    """
    return f"sink-dead:{{{sink}}}"
