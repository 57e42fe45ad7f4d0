"""Which GPUs this process may use, told without importing a framework."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_DEV: Final = Path("/dev")


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
