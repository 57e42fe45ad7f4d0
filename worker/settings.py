"""The worker's settings."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from service.settings import ServiceSettings
from worker.inference.detect.yunet import DETECT_SIDE, MAX_DETECT_SIDE
from worker.ownership.lease import LEASE_MS, MAX_LEASE_MS


class WorkerSettings(ServiceSettings):
    """Settings of a worker.

    Precedence, highest first: command line, environment (EMOTION_WORKER_...), file, default.
    """

    model_config = SettingsConfigDict(env_prefix="EMOTION_WORKER_", extra="forbid", frozen=True)

    model: str = Field(
        "simpnet-v2", description="a released model: its name, or a folder with weights and card"
    )
    engine: Literal["auto", "keras", "openvino", "mnn"] = Field(
        "auto",
        description="what runs the model: auto, keras (GPUs), openvino (x86-64 CPUs in int8; "
        "Intel's GPUs and NPUs) or mnn (CPUs)",
    )
    device: str = Field(
        "CPU",
        pattern=r"^[A-Z]+(\.\d+)?$",
        description="what engine openvino runs on, by OpenVINO's name: CPU, GPU, GPU.1, NPU",
    )
    detector: Literal["auto", "yunet", "haar"] = Field(
        "auto", description="what finds faces: auto (yunet, else haar), yunet or haar"
    )
    detector_model: Path | None = Field(
        None, description="YuNet's file; without, it is downloaded once into the cache folder"
    )
    detect_side: int = Field(
        DETECT_SIDE,
        ge=160,
        le=MAX_DETECT_SIDE,
        description="pixels of the longer side at which YuNet sees a picture: more finds smaller "
        "faces, and costs in proportion to its square; faces of 12 pixels in it are found",
    )
    threads: int = Field(
        default_factory=lambda: len(os.sched_getaffinity(0)),
        ge=1,
        le=256,
        description="threads for decoding and detection, and as many for the engine on a CPU; "
        "there each of the first four takes 120 MB. Without, one per core",
    )
    in_flight: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="frames in flight at once, over all cameras; default: as few as keep the "
        "threads and the engine busy",
    )
    keep_events: int = Field(
        10_000,
        ge=1,
        description="events, and as many episodes, kept per camera: 10000 events are 17 minutes at "
        "10 fps and 6 MB with a face each, 864000 are 24 hours and 515 MB",
    )
    keep_hours: float = Field(
        24.0,
        gt=0,
        le=1_000_000,
        description="hours that events and dead letters are kept at most; keep_events ends it "
        "earlier at most rates",
    )
    keep_minutes_days: float = Field(
        30.0, gt=0, le=3_650, description="days that minutes are kept; one takes about 0.6 KB"
    )
    min_people: int = Field(
        0,
        ge=0,
        le=1_000,
        description="a minute in which never as many people were in view at once says nothing "
        "about people; episodes and events are not affected",
    )
    neutral_episodes: bool = Field(
        False, description="whether a neutral face makes emotion episodes as well"
    )
    reuse_ms: int = Field(
        500,
        ge=0,
        le=5_000,
        description="while faces wait for the engine, a face with a steady label keeps "
        "probabilities up to this old instead of being classified again; 0 classifies every face",
    )
    lease_ms: int = Field(
        LEASE_MS,
        ge=500,
        le=MAX_LEASE_MS,
        description="time after which a worker without a heartbeat loses its cameras: short for a "
        "quick takeover, long if the network stalls; the same for all workers",
    )
    weight: float = Field(
        1.0, gt=0, le=1000, description="share of the cameras, against the other workers'"
    )
    gpus: str = Field(
        "",
        pattern=r"^(all|[\w-]+(,[\w-]+)*)?$",
        description="GPUs, with a worker each that this process watches: all, or their numbers as "
        "in 0,2; with engine keras",
    )
    processes: int = Field(
        1,
        ge=1,
        le=64,
        description="workers to run and watch, per GPU if --gpus is given; they share the cores",
    )
    metrics_port: int = Field(
        9101,
        ge=0,
        le=65535,
        description="port of /metrics, /healthz, /readyz; 0 takes a free one; of several workers "
        "the first takes it, and each next one the port ten above",
    )
