"""Settings of a camera."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from emotion_streams.redaction import redact_url
from emotion_streams.wire import YEAR_2200_MS

DEFAULT_FPS: Final = 10.0
_NETWORK_SCHEMES: Final = frozenset({"rtsp", "rtsps", "http", "https"})


class SourceKind(StrEnum):
    """Kind of source that a camera's `source` names."""

    DEMO = "demo"
    V4L2 = "v4l2"
    NETWORK = "network"
    FOLDER = "folder"
    FILE = "file"


def source_kind(source: str) -> SourceKind:
    """Return the kind of a `source`.

    A `source` is "demo", a USB index, a path in /dev, a URL, a folder, or else a file. Raises
    ValueError for a URL with another scheme, and for a URL that is ambiguous.
    """
    scheme, separator, rest = source.partition("://")
    if separator:
        if scheme.lower() not in _NETWORK_SCHEMES:
            raise ValueError(
                f"{redact_url(source)}: of URLs, {', '.join(sorted(_NETWORK_SCHEMES))} are taken"
            )
        authority = re.split("[/?#]", rest, maxsplit=1)[0]
        # Otherwise FFmpeg takes a part of the password for the host name and looks it up in DNS.
        if authority.count("@") > 1 or "@" in rest.removeprefix(authority):
            raise ValueError(
                "write / as %2F, ? as %3F, # as %23 and @ as %40 in a password and behind the host"
            )
        return SourceKind.NETWORK
    if source == "demo":
        return SourceKind.DEMO
    if source.isdecimal() or source.startswith("/dev/"):
        return SourceKind.V4L2
    return SourceKind.FOLDER if Path(source).is_dir() else SourceKind.FILE


class CameraOptions(BaseModel):
    """Settings of one camera that the command line and a file accept."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    source: str = Field(
        "demo",
        min_length=1,
        description="demo, a USB index, a path in /dev, rtsp(s):// or http(s)://, a video file, or "
        "a folder of pictures; ${NAME} in it is taken from the environment",
    )
    fps: float | None = Field(
        None,
        gt=0,
        le=240,
        description="frames per second at most [10; all of them with policy every]",
    )
    width: int = Field(640, ge=32, le=8192, description="wider pictures are scaled down to it")
    roi: tuple[float, float, float, float] | None = Field(
        None,
        description="region of interest: x,y,width,height as shares of the picture, as in "
        "0.25,0,0.5,1 for the middle half; all else is cut off before anything is sent",
    )
    rotate: Literal[0, 90, 180, 270] = Field(
        0, description="degrees clockwise, for a camera that hangs askew"
    )
    capture_size: tuple[int, int] | None = Field(
        None, description="width,height asked of a USB camera [width and three quarters of it]"
    )
    min_motion: float = Field(
        0,
        ge=0,
        lt=1,
        description="leave out frames in which less than this share of the picture changed since "
        "the last one sent, as 0.005; one a second is always sent; 0 turns it off",
    )
    quality: int = Field(85, ge=1, le=100, description="of the JPEG")
    policy: Literal["newest", "every"] = Field(
        "newest",
        description="newest: what is not taken in time is dropped; every: wait for the workers, as "
        "only files, folders and the demo can",
    )
    max_age_ms: int = Field(
        1000, ge=1, description="workers expire older frames; with policy every they never do"
    )
    recorded_ms: int | None = Field(
        None,
        ge=0,
        le=YEAR_2200_MS,
        description="when the recording in a file began (Unix, milliseconds): with policy every, "
        "frames are dated from it by their own timestamps, and each is stored once, however often "
        "the file is read [when it is read]",
    )
    loop: bool = Field(False, description="start a file or a folder again at its end")
    max_queued: int = Field(
        20, ge=10, le=30, description="frames that wait in Redis at most; older ones are dropped"
    )
    transport: Literal["tcp", "udp"] = Field("tcp", description="of RTSP")
    tls_verify: bool = Field(
        True,
        description="check the certificate of https:// and rtsps:// cameras; false for cameras "
        "with a certificate of their own, which a stranger on the network can then stand in for",
    )
    open_timeout_s: float = Field(5, gt=0, le=60, description="time to open the camera")
    read_timeout_s: float = Field(5, gt=0, le=60, description="time between two frames")

    reconnect_max_s: float = Field(
        10, gt=0, le=300, description="a camera that is down is tried again at least this often"
    )

    @property
    def is_recording(self) -> bool:
        """Whether the frames are dated by their own timestamps, not by when they are read."""
        is_finite = source_kind(self.source) in (SourceKind.FILE, SourceKind.FOLDER)
        return is_finite and self.policy == "every" and not self.loop

    @field_validator("roi", "capture_size", mode="before")
    @classmethod
    def _numbers(cls, value: object) -> object:
        return value.replace("x", ",").split(",") if isinstance(value, str) else value

    @field_validator("rotate", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        return int(value) if isinstance(value, str) and value.isdecimal() else value

    @field_validator("roi")
    @classmethod
    def _roi_is_within(
        cls, roi: tuple[float, float, float, float] | None
    ) -> tuple[float, float, float, float] | None:
        if roi is not None:
            x, y, width, height = roi
            if not (0 <= x < x + width <= 1 and 0 <= y < y + height <= 1):
                raise ValueError("x,y,width,height must be shares from 0 to 1 and lie within it")
        return roi

    @field_validator("capture_size")
    @classmethod
    def _size_is_positive(cls, size: tuple[int, int] | None) -> tuple[int, int] | None:
        if size is not None and min(size) < 1:
            raise ValueError("width and height must be positive")
        return size

    @field_validator("source")
    @classmethod
    def _source_is_one(cls, source: str) -> str:
        source_kind(source)
        return source

    @field_validator("policy")
    @classmethod
    def _policy_suits_source(cls, policy: str, info: ValidationInfo) -> str:
        source = info.data.get("source")  # absent if it is invalid itself
        live = source and source_kind(source) in (SourceKind.V4L2, SourceKind.NETWORK)
        if policy == "every" and live:
            raise ValueError("a live camera does not wait; leave it at newest")
        return policy


class CameraSettings(CameraOptions):
    """Settings of one camera that a file accepts."""

    enabled: bool = Field(True, description="whether the camera runs")
