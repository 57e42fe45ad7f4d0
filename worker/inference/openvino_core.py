"""Shared code of everything that runs on OpenVINO: find it, check devices, share the cores."""

import re
from functools import cache
from typing import Any, Final

OLDEST: Final = 2025


class OpenVinoUnavailableError(RuntimeError):
    """OpenVINO cannot run here; the message says why and what to do."""


def open_core(device: str = "CPU") -> Any:
    """Return an openvino.Core that has this device.

    Raises ImportError if OpenVINO is missing, OpenVinoUnavailableError if it is too old or has no
    such device.
    """
    import openvino

    version = str(getattr(openvino, "__version__", "of before 2023"))
    year = re.match(r"\d{4}", version)
    if not year or int(year[0]) < OLDEST:
        raise OpenVinoUnavailableError(
            f"OpenVINO {version} is too old: {OLDEST} or later is needed"
        )
    core = _shared_core()
    if device == "CPU":  # listing the devices would load the libraries of all of them
        return core
    there = core.available_devices
    if device not in {*there, *(name.partition(".")[0] for name in there)}:
        raise OpenVinoUnavailableError(
            f"OpenVINO sees no device {device}, only {', '.join(there) or 'none'}"
        )
    return core


@cache
def _shared_core() -> Any:
    """Return the process' one Core, which is never destroyed.

    OpenVINO's CPU plugin gives the thread that first uses it a stack for signal handlers, and
    unmaps that stack with the Core. If another thread drops the Core, the next signal with a
    handler kills the process, without a word.
    """
    import openvino

    return openvino.Core()


def cpu_options(threads: int, streams: int, precision: str) -> dict[str, Any]:
    """Return compile options for `streams` concurrent inferences on `threads` threads in total.

    Threads are not pinned to cores, because decoding and detection threads use the same cores.
    """
    return {
        "NUM_STREAMS": streams,
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": precision,
    }


def compile_on(core: Any, model: Any, device: str, options: dict[str, Any]) -> Any:
    """Compile the model. Raises OpenVinoUnavailableError if the device refuses it."""
    try:
        return core.compile_model(model, device, options)
    except RuntimeError as error:
        raise OpenVinoUnavailableError(
            f"OpenVINO's device {device} refuses the model: {reason(error)}"
        ) from error


def reason(error: RuntimeError) -> str:
    """Return the reason in an error message of OpenVINO.

    The lines before the reason name locations in OpenVINO's source code.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
