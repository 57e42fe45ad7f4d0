"""What a figure was measured on, and what the machine did besides."""

import importlib.metadata
import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

_PACKAGES: Final = (
    "MNN",
    "openvino",
    "keras",
    "tensorflow",
    "opencv-python-headless",
    "numpy",
    "redis",
)
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def describe() -> dict[str, Any]:
    """The machine, its cores, the versions, and the load average as the benchmark begins."""
    return {
        "machine": _processor(),
        "cores": cores(),
        "load_average": [round(load, 1) for load in os.getloadavg()],
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **_versions()},
    }


def cpu_s(pid: int) -> float:
    """CPU seconds that a process used so far, with its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def machine_cpu_s() -> float:
    """CPU seconds that the whole machine used so far: all but idle and waiting for disks."""
    user, nice, system, _, _, *interrupts = Path("/proc/stat").read_text().split()[1:9]
    return sum(map(int, (user, nice, system, *interrupts))) / _TICKS_PER_S


class OtherLoad:
    """How many cores everything but our own processes took, on average, since it was made."""

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self._began = time.perf_counter()
        self._before = self._others_cpu_s()

    def cores(self) -> float:
        elapsed = time.perf_counter() - self._began
        return round(max(0.0, self._others_cpu_s() - self._before) / elapsed, 2)

    def _others_cpu_s(self) -> float:
        return machine_cpu_s() - sum(map(cpu_s, (os.getpid(), *self._pids)))


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
