"""Settings of a camera."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from emotion_streams.fields import YEAR_2200_MS
from producer.polygons import Polygon, parse_polygons
from producer.source_kind import SourceKind, source_kind

DEFAULT_FPS: Final = 10.0


class CameraOptions(BaseModel):
    """Settings of one camera that the command line and a file accept."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    source: str = Field(
        "demo",
        min_length=1,
        description="demo, a USB index, a path in /dev, rtsp(s):// or http(s)://, a video file, or "
        "a folder of pictures; ${NAME} is replaced from the environment",
    )
    fps: float | None = Field(
        None,
        gt=0,
        le=240,
        description="maximum frames per second [10; with policy every: no limit]",
    )
    width: int = Field(
        640, ge=32, le=8192, description="maximum width in pixels; wider pictures are scaled down"
    )
    roi: tuple[float, float, float, float] | None = Field(
        None,
        description="region of interest: x,y,width,height as shares of the picture, for example "
        "0.25,0,0.5,1 for the middle half; the rest is never sent",
    )
    mask: tuple[Polygon, ...] | None = Field(
        None,
        description="polygons to blacken: points x,y as shares of the picture after rotate and "
        "roi, as in '0,0 0.3,0 0.3,0.4; 0.8,0 1,0 1,0.2'; what is behind them is never sent",
    )
    rotate: Literal[0, 90, 180, 270] = Field(0, description="rotation in degrees clockwise")
    capture_size: tuple[int, int] | None = Field(
        None,
        description="width,height requested from a USB camera [width and three quarters of it]",
    )
    min_motion: float = Field(
        0,
        ge=0,
        lt=1,
        description="skip frames in which less than this share of the picture changed since the "
        "last one sent, for example 0.005; one frame a second is always sent; 0 disables it",
    )
    quality: int = Field(85, ge=1, le=100, description="quality of the JPEG")
    policy: Literal["newest", "every"] = Field(
        "newest",
        description="newest: drop frames that are not processed in time; every: wait for the "
        "workers (files, folders and the demo only)",
    )
    max_age_ms: int = Field(
        1000,
        ge=1,
        description="maximum age of a frame; workers expire older ones, except with policy every",
    )
    recorded_ms: int | None = Field(
        None,
        ge=0,
        le=YEAR_2200_MS,
        description="Unix milliseconds at which the recording in a file began; with policy every, "
        "frames are dated from it by their own timestamps, and each is stored once, however often "
        "the file is read [when it is read]",
    )
    loop: bool = Field(False, description="restart a file or a folder at its end")
    max_queued: int = Field(
        20, ge=10, le=30, description="maximum frames in Redis; older ones are dropped"
    )
    transport: Literal["tcp", "udp"] = Field("tcp", description="transport of RTSP")
    tls_verify: bool = Field(
        True,
        description="check the certificate of https:// and rtsps:// cameras; false accepts any "
        "certificate, and so any host on the network that impersonates the camera",
    )
    decode: Literal["all", "keyframes"] = Field(
        "all",
        description="keyframes: decode only the key frames of a file or a network stream (H.264, "
        "HEVC), if they come often enough for fps; costs far less processor time at 1 or 2 fps",
    )
    hwaccel: Literal["none", "auto", "vaapi", "cuda", "qsv"] = Field(
        "none",
        description="device that decodes files and network streams; the CPU does if there is none",
    )
    open_timeout_s: float = Field(5, gt=0, le=60, description="time limit for opening the camera")
    read_timeout_s: float = Field(5, gt=0, le=60, description="time limit between two frames")

    title: str = Field(
        "", max_length=80, description="name to show, in any language, instead of the key-safe one"
    )
    group: str = Field(
        "", max_length=80, description="group that the camera is shown in, such as a floor"
    )
    reconnect_max_s: float = Field(
        10, gt=0, le=300, description="maximum delay before a camera that is down is retried"
    )

    @property
    def is_recording(self) -> bool:
        """Whether the frames are dated by their own timestamps, not by when they are read."""
        is_finite = source_kind(self.source) in (SourceKind.FILE, SourceKind.FOLDER)
        return is_finite and self.policy == "every" and not self.loop

    @property
    def max_fps(self) -> float | None:
        """The maximum number of frames per second that are sent, None for no limit."""
        return self.fps if self.policy == "every" else self.fps or DEFAULT_FPS

    @field_validator("roi", "capture_size", mode="before")
    @classmethod
    def _numbers(cls, value: object) -> object:
        return value.replace("x", ",").split(",") if isinstance(value, str) else value

    @field_validator("mask", mode="before")
    @classmethod
    def _polygons(cls, value: object) -> object:
        return value if value is None else parse_polygons(value)

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

    @field_validator("title", "group")
    @classmethod
    def _text_is_printable(cls, text: str) -> str:
        if not text.isprintable():
            raise ValueError("must be printable, on one line")
        return text.strip()

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
            raise ValueError("every is for files, folders and the demo; a live camera cannot wait")
        return policy


class CameraSettings(CameraOptions):
    """Settings of one camera that a file accepts."""

    enabled: bool = Field(True, description="run this camera")
