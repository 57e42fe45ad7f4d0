"""Detects the visible GPUs and the fast CPU instructions, without importing a framework."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_DEV: Final = Path("/dev")
_CPUINFO: Final = Path("/proc/cpuinfo")

_INT8: Final = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})
_BFLOAT16: Final = frozenset({"avx512_bf16", "amx_bf16"})
"""CPU flags, by their names in Linux."""


def visible_gpus(environ: Mapping[str, str] = os.environ, devices: Path = _DEV) -> tuple[str, ...]:
    """Return the NVIDIA GPUs by their CUDA names, which CUDA_VISIBLE_DEVICES accepts.

    The names are numbers, or the valid names that the variable already contains. The result is
    empty if the driver made no device file, even if the variable is set.
    """
    present = sum(path.name[len("nvidia") :].isdigit() for path in devices.glob("nvidia*"))
    wanted = environ.get("CUDA_VISIBLE_DEVICES")
    if wanted is None or not present:
        return tuple(map(str, range(present)))
    chosen = []
    for name in map(str.strip, wanted.split(",")):
        # CUDA, too, stops at the first invalid name, such as -1.
        if not (name.startswith(("GPU-", "MIG-")) or (name.isdigit() and int(name) < present)):
            break
        chosen.append(name)
    return tuple(chosen)


def has_int8(cpuinfo: Path = _CPUINFO) -> bool:
    """Return whether this CPU, an x86-64, has instructions that sum up products of bytes.

    Without them, products are summed up in 16 bits, which is not faster than float32 and not exact.
    """
    return bool(_INT8 & _flags(cpuinfo))


def has_bfloat16(cpuinfo: Path = _CPUINFO) -> bool:
    """Return whether this CPU, an x86-64, has instructions that multiply bfloat16."""
    return bool(_BFLOAT16 & _flags(cpuinfo))


def _flags(cpuinfo: Path) -> set[str]:
    try:
        line = re.search(r"^flags\s*:(.*)$", cpuinfo.read_text(), re.MULTILINE)
    except OSError:  # not Linux
        return set()
    return set(line[1].split()) if line else set()
