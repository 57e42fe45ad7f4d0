"""Status of the registered cameras: their producers' reports, owners and backlogs."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from redis.exceptions import NoPermissionError

from emotion_streams import keys
from emotion_streams.backoff import is_wrong_type
from emotion_streams.connection import Client
from emotion_streams.redaction import short_message
from emotion_streams.registry import registered

HEARTBEAT_WITHIN_MS: Final = 2_500
"""A producer sends a heartbeat at least each second; after this long without one it counts as gone.
This leaves a display half a second to show the change within three seconds."""

RATE_WINDOW_S: Final = 10.0
"""Rates of stored and of analysed frames cover this time: viewers compare the two."""

_MAX_INTEGER: Final = 2**53 - 1
_MAX_DIGITS: Final = 16
_MAX_REASON: Final = 500
_NAMES: Final = ("title", "group")
_MAX_NAME: Final = 80


class CameraState(StrEnum):
    """Whether a camera sends frames."""

    UP = "up"
    DOWN = "down"  # its producer cannot reach it
    ENDED = "ended"  # a file was played to its end
    GONE = "gone"  # no heartbeat from its producer


@dataclass(frozen=True)
class CameraStatus:
    """A camera's current status.

    `fps`: frames stored per second, over RATE_WINDOW_S. `last_frame_ms`: Unix time of the newest
    frame, None before the first. `owner`: the worker that owns it, or None. `backlog`: frames not
    yet analysed, None for a user without the right to read frames. `error`: why the camera is down,
    without credentials. `title`, `group`: names for people from its settings, or empty.
    """

    camera: str
    state: CameraState
    fps: float
    width: int
    height: int
    last_frame_ms: int | None
    last_frame_age_ms: int | None
    owner: str | None
    backlog: int | None
    error: str
    title: str = ""
    group: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as `--json` prints them."""
        return {**vars(self), "state": self.state.value}


async def list_cameras(client: Client) -> list[CameraStatus]:
    """Return the status of every camera in the registry, by name.

    The state of a camera whose keys cannot be read is `gone`, and its `error` contains the reason.
    """
    seconds, microseconds = await client.time()
    now_ms = seconds * 1000 + microseconds // 1000
    cameras = await registered(client, now_ms)
    return [
        await _status(client, name, heartbeat_ms, now_ms) for name, heartbeat_ms in cameras.items()
    ]


async def _status(client: Client, camera: str, heartbeat_ms: float, now_ms: int) -> CameraStatus:
    async with client.pipeline(transaction=False) as pipe:
        pipe.hgetall(keys.camera_info(camera))
        pipe.hgetall(keys.lease(camera))
        pipe.xlen(keys.frames(camera))
        replies = await pipe.execute(raise_on_error=False)
    info, lease, backlog = replies
    # A user with the right to read events may lack the right to count frames.
    if isinstance(backlog, NoPermissionError):
        backlog = None
    for key, reply in ((keys.camera_info, info), (keys.lease, lease), (keys.frames, backlog)):
        if isinstance(reply, Exception):
            if not is_wrong_type(reply):
                raise reply
            reason = f"{key(camera)} cannot be read: {short_message(reply)}"
            return _unreadable(camera, reason, None)
    try:
        return _read_status(camera, info, lease, backlog, heartbeat_ms, now_ms)
    except ValueError as error:
        reason = f"{keys.camera_info(camera)} or {keys.lease(camera)} cannot be read: {error}"
        return _unreadable(camera, reason[:_MAX_REASON], backlog)


def _unreadable(camera: str, reason: str, backlog: int | None) -> CameraStatus:
    return CameraStatus(camera, CameraState.GONE, 0, 0, 0, None, None, None, backlog, reason)


def _read_status(
    camera: str,
    raw_info: dict[bytes, bytes],
    raw_lease: dict[bytes, bytes],
    backlog: int | None,
    heartbeat_ms: float,
    now_ms: int,
) -> CameraStatus:
    """Parse the hashes. Raises ValueError for values that none of our processes writes."""
    info = _texts(raw_info, ("state", "fps", "width", "height", "last_frame_ms", "error", *_NAMES))
    lease = _texts(raw_lease, ("owner", "expires_ms"))
    reported = info.get("state") or CameraState.UP
    if reported not in (CameraState.UP, CameraState.DOWN, CameraState.ENDED):
        raise ValueError(f"state is {reported[:40]!r}")
    state = CameraState(reported)
    if state is not CameraState.ENDED and now_ms - heartbeat_ms > HEARTBEAT_WITHIN_MS:
        state = CameraState.GONE
    fps = float(info.get("fps") or 0)
    if not math.isfinite(fps):
        raise ValueError(f"fps is {fps}")
    last_frame_ms = _integer(info, "last_frame_ms") or None
    owned = _integer(lease, "expires_ms") > now_ms
    return CameraStatus(
        camera=camera,
        state=state,
        # The last rate of a producer that is gone, or has ended, is not a rate any more.
        fps=0.0 if state in (CameraState.GONE, CameraState.ENDED) else fps,
        width=_integer(info, "width"),
        height=_integer(info, "height"),
        last_frame_ms=last_frame_ms,
        last_frame_age_ms=None if last_frame_ms is None else max(0, now_ms - last_frame_ms),
        owner=(lease.get("owner") or None) if owned else None,
        backlog=backlog,
        error=_cut(info.get("error", "")),
        title=info.get("title", "")[:_MAX_NAME],
        group=info.get("group", "")[:_MAX_NAME],
    )


def _texts(raw: dict[bytes, bytes], names: Iterable[str]) -> dict[str, str]:
    """Return the named fields that are present. Raises ValueError if one is not UTF-8."""
    return {name: raw[name.encode()].decode() for name in names if name.encode() in raw}


def _cut(text: str) -> str:
    """Return the beginning of the text, up to a blank.

    A cut word may be half of a URL, whose password `redact` does not recognise without the @.
    """
    if len(text) <= _MAX_REASON:
        return text
    return text[:_MAX_REASON].rpartition(" ")[0] + " ..."


def _integer(texts: dict[str, str], name: str) -> int:
    """Return a field as an integer that any JSON reader holds exactly; 0 if missing or empty."""
    text = texts.get(name) or "0"
    if len(text) > _MAX_DIGITS or not 0 <= (value := int(text)) <= _MAX_INTEGER:
        raise ValueError(f"{name} is {text[:40]!r}")
    return value
