"""Status of the registered cameras: their producers' reports, owners and backlogs."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from emotion_streams.camera_report import (
    CameraReport,
    UnreadableCameraError,
    integer,
    invalid,
    read_report,
    shorten,
)
from emotion_streams.connection import Client
from emotion_streams.registry import registered

HEARTBEAT_WITHIN_MS: Final = 2_500
"""A producer sends a heartbeat at least each second; after this long without one it counts as gone.
This leaves a display half a second to show the change within three seconds."""

RATE_WINDOW_S: Final = 10.0
"""Rates of stored and of analysed frames cover this time: viewers compare the two."""

_MAX_REASON: Final = 500
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
    try:
        report = await read_report(client, camera)
        try:
            return _read_status(camera, report, heartbeat_ms, now_ms)
        except ValueError as error:
            raise invalid(camera, error, report.backlog) from None
    except UnreadableCameraError as error:
        reason = shorten(str(error), _MAX_REASON)
        return CameraStatus(
            camera, CameraState.GONE, 0, 0, 0, None, None, None, error.backlog, reason
        )


def _read_status(
    camera: str, report: CameraReport, heartbeat_ms: float, now_ms: int
) -> CameraStatus:
    """Parse the report. Raises ValueError for values that none of our processes writes."""
    info, lease = report.info, report.lease
    reported = info.get("state") or CameraState.UP
    if reported not in (CameraState.UP, CameraState.DOWN, CameraState.ENDED):
        raise ValueError(f"state is {reported[:40]!r}")
    state = CameraState(reported)
    if state is not CameraState.ENDED and now_ms - heartbeat_ms > HEARTBEAT_WITHIN_MS:
        state = CameraState.GONE
    fps = float(info.get("fps") or 0)
    if not math.isfinite(fps):
        raise ValueError(f"fps is {fps}")
    last_frame_ms = integer(info, "last_frame_ms") or None
    owned = integer(lease, "expires_ms") > now_ms
    return CameraStatus(
        camera=camera,
        state=state,
        # The last rate of a producer that is gone, or has ended, is not a rate any more.
        fps=0.0 if state in (CameraState.GONE, CameraState.ENDED) else fps,
        width=integer(info, "width"),
        height=integer(info, "height"),
        last_frame_ms=last_frame_ms,
        last_frame_age_ms=None if last_frame_ms is None else max(0, now_ms - last_frame_ms),
        owner=(lease.get("owner") or None) if owned else None,
        backlog=report.backlog,
        error=shorten(info.get("error", ""), _MAX_REASON),
        title=info.get("title", "")[:_MAX_NAME],
        group=info.get("group", "")[:_MAX_NAME],
    )
