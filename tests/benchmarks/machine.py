"""What a figure was measured on, and what the machine did besides."""

import importlib.metadata
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from deploy.processor_time import OtherLoad as OtherLoad
from deploy.processor_time import cores as cores
from deploy.processor_time import cpu_s as cpu_s
from deploy.processor_time import machine_cpu_s as machine_cpu_s

_PACKAGES: Final = (
    "MNN",
    "openvino",
    "keras",
    "tensorflow",
    "opencv-python-headless",
    "numpy",
    "redis",
)


def describe() -> dict[str, Any]:
    """The machine, its cores, the versions, and the load average as the benchmark begins."""
    return {
        "machine": _processor(),
        "cores": cores(),
        "load_average": [round(load, 1) for load in os.getloadavg()],
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **_versions()},
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
