"""Processor time of processes and of the machine, as Linux counts it."""

import os
import time
from pathlib import Path
from typing import Final

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process used so far, in all its threads.

    Raises OSError if it has ended.
    """
    return _cpu_s(Path(f"/proc/{pid}/stat"))


def main_thread_cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process' main thread. Raises OSError if it has ended."""
    return _cpu_s(Path(f"/proc/{pid}/task/{pid}/stat"))


def machine_cpu_s() -> float:
    """Return the CPU seconds of the whole machine so far, without idle time and disk waits."""
    user, nice, system, _, _, *interrupts = Path("/proc/stat").read_text().split()[1:9]
    return sum(map(int, (user, nice, system, *interrupts))) / _TICKS_PER_S


def child_pids(pid: int) -> list[int]:
    """Return the children that a process' main thread started. Raises OSError if it has ended."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class OtherLoad:
    """Number of cores that all processes but ours used, on average, since it was made."""

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self._began = time.perf_counter()
        self._before = self._others_cpu_s()

    def cores(self) -> float:
        """Return that number."""
        elapsed = time.perf_counter() - self._began
        return round(max(0.0, self._others_cpu_s() - self._before) / elapsed, 2)

    def _others_cpu_s(self) -> float:
        return machine_cpu_s() - sum(map(cpu_s, (os.getpid(), *self._pids)))


def _cpu_s(stat: Path) -> float:
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
