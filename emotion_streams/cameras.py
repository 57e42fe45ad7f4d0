"""What is known of the attached cameras: their producers' word, their owners, their backlogs."""

import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from redis.exceptions import NoPermissionError

from emotion_streams import keys
from emotion_streams.backoff import is_wrong_type
from emotion_streams.connection import Client

HEARD_WITHIN_MS: Final = 2_500
"""A producer speaks at least each second; one not heard for this long counts as away. What is left
of three seconds is for whoever shows it."""


_STATES: Final = frozenset({"up", "down", "ended"})
"""What a producer writes."""
_MAX_INTEGER: Final = 2**53 - 1
_MAX_DIGITS: Final = 16
_MAX_REASON: Final = 500


@dataclass(frozen=True)
class CameraStatus:
    """A camera as it stands.

    `state`: "up", "down" (its producer cannot reach it), "ended" (a file, to its end), "gone" (its
    producer is not heard any more). `fps`: frames stored per second lately. `last_frame_ms`: Unix
    time of the newest frame, None before the first. `owner`: the worker that has it, or None.
    `lag`: frames not yet analysed, None for a user without a right to the frames. `error`: why it
    is down, without credentials.
    """

    camera: str
    state: str
    fps: float
    width: int
    height: int
    last_frame_ms: int | None
    last_frame_age_ms: int | None
    owner: str | None
    lag: int | None
    error: str

    def to_dict(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return vars(self).copy()


async def registered(client: Client) -> dict[str, float]:
    """The cameras in the registry, by name: when each was last heard, in Unix milliseconds. A name
    that cannot be a camera's is left out: anybody may write there, and it must stop nobody."""
    heard: list[tuple[bytes, float]] = await client.zrange(keys.CAMERAS, 0, -1, withscores=True)
    cameras = {}
    for name, heard_ms in sorted(heard):
        with suppress(ValueError):  # also what is no UTF-8
            cameras[keys.check_camera(name.decode())] = heard_ms
    return cameras


async def list_cameras(client: Client) -> list[CameraStatus]:
    """Every camera in the registry, by name. One of which Redis has what cannot be read is "gone",
    and its `error` says so."""
    cameras = await registered(client)
    seconds, microseconds = await client.time()
    now_ms = seconds * 1000 + microseconds // 1000
    return [await _status(client, name, heard_ms, now_ms) for name, heard_ms in cameras.items()]


async def _status(client: Client, camera: str, heard_ms: float, now_ms: int) -> CameraStatus:
    async with client.pipeline(transaction=False) as pipe:
        pipe.hgetall(keys.camera_info(camera))
        pipe.hgetall(keys.lease(camera))
        pipe.xlen(keys.frames(camera))
        replies = await pipe.execute(raise_on_error=False)
    # Who reads events alone may have no right to the frames, not even to count them.
    if isinstance(replies[-1], NoPermissionError):
        replies[-1] = None
    named = (keys.camera_info(camera), keys.lease(camera), keys.frames(camera))
    for key, reply in zip(named, replies, strict=True):
        if isinstance(reply, Exception):
            if not is_wrong_type(reply):
                raise reply
            return _unreadable(camera, f"{key} holds another type of value")
    info, lease, lag = replies
    try:
        return _read_status(camera, info, lease, lag, heard_ms, now_ms)
    except ValueError as error:
        reason = f"{keys.camera_info(camera)} or {keys.lease(camera)} cannot be read: {error}"
        return _unreadable(camera, reason[:_MAX_REASON], lag)


def _unreadable(camera: str, reason: str, lag: int | None = None) -> CameraStatus:
    return CameraStatus(camera, "gone", 0, 0, 0, None, None, None, lag, reason)


def _read_status(
    camera: str,
    raw_info: dict[bytes, bytes],
    raw_lease: dict[bytes, bytes],
    lag: int | None,
    heard_ms: float,
    now_ms: int,
) -> CameraStatus:
    """ValueError where the hashes hold what nobody of us writes."""
    info = _texts(raw_info, ("state", "fps", "width", "height", "last_frame_ms", "error"))
    lease = _texts(raw_lease, ("owner", "expires_ms"))
    state = info.get("state") or "up"
    if state not in _STATES:
        raise ValueError(f"state is {state[:40]!r}")
    if state != "ended" and now_ms - heard_ms > HEARD_WITHIN_MS:
        state = "gone"
    fps = float(info.get("fps") or 0)
    if not math.isfinite(fps):
        raise ValueError(f"fps is {fps}")
    last_frame_ms = _integer(info, "last_frame_ms") or None
    owned = _integer(lease, "expires_ms") > now_ms
    return CameraStatus(
        camera=camera,
        state=state,
        fps=fps,
        width=_integer(info, "width"),
        height=_integer(info, "height"),
        last_frame_ms=last_frame_ms,
        last_frame_age_ms=None if last_frame_ms is None else max(0, now_ms - last_frame_ms),
        owner=(lease.get("owner") or None) if owned else None,
        lag=lag,
        error=_cut(info.get("error", "")),
    )


def _texts(raw: dict[bytes, bytes], names: Iterable[str]) -> dict[str, str]:
    """The named fields that are present. ValueError if one is not UTF-8."""
    return {name: raw[name.encode()].decode() for name in names if name.encode() in raw}


def _cut(text: str) -> str:
    """The text's beginning. What follows its last blank is dropped too: it may be half a URL, whose
    password nobody would recognise without the @ after it."""
    if len(text) <= _MAX_REASON:
        return text
    return text[:_MAX_REASON].rpartition(" ")[0] + " ..."


def _integer(texts: dict[str, str], name: str) -> int:
    """A field as an integer that any JSON reader holds exactly, 0 if missing or empty."""
    text = texts.get(name) or "0"
    if len(text) > _MAX_DIGITS or not 0 <= (value := int(text)) <= _MAX_INTEGER:
        raise ValueError(f"{name} is {text[:40]!r}")
    return value
