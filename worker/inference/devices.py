"""Which GPUs this process may use and what its CPU does fast, without importing a framework."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_DEV: Final = Path("/dev")
_CPUINFO: Final = Path("/proc/cpuinfo")

_INT8: Final = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})
_BFLOAT16: Final = frozenset({"avx512_bf16", "amx_bf16"})
"""As Linux calls them."""


def visible_gpus(environ: Mapping[str, str] = os.environ, devices: Path = _DEV) -> tuple[str, ...]:
    """The NVIDIA GPUs as CUDA names them, for CUDA_VISIBLE_DEVICES: numbers, or what that variable
    holds already. None where the driver made no device file, whatever the variable says."""
    present = sum(path.name[len("nvidia") :].isdigit() for path in devices.glob("nvidia*"))
    wanted = environ.get("CUDA_VISIBLE_DEVICES")
    if wanted is None or not present:
        return tuple(map(str, range(present)))
    chosen = []
    for name in map(str.strip, wanted.split(",")):
        # CUDA itself stops at the first that is none, as -1 is.
        if not (name.startswith(("GPU-", "MIG-")) or (name.isdigit() and int(name) < present)):
            break
        chosen.append(name)
    return tuple(chosen)


def has_int8(cpuinfo: Path = _CPUINFO) -> bool:
    """Whether this CPU, an x86-64, has instructions that sum up products of bytes. Without, they
    are summed up in 16 bits: no faster than float32, and not exactly."""
    return bool(_INT8 & _flags(cpuinfo))


def has_bfloat16(cpuinfo: Path = _CPUINFO) -> bool:
    """Whether this CPU, an x86-64, multiplies bfloat16 itself."""
    return bool(_BFLOAT16 & _flags(cpuinfo))


def _flags(cpuinfo: Path) -> set[str]:
    try:
        line = re.search(r"^flags\s*:(.*)$", cpuinfo.read_text(), re.MULTILINE)
    except OSError:  # not Linux
        return set()
    return set(line[1].split()) if line else set()
