"""What everything that runs on OpenVINO does alike: find it, know its devices, share the cores."""

import re
from typing import Any, Final

OLDEST: Final = 2025


class OpenVinoUnavailableError(RuntimeError):
    """OpenVINO cannot run this here: why, and what to do."""


def open_core(device: str = "CPU") -> Any:
    """An openvino.Core that has that device. Raises ImportError where OpenVINO is missing,
    OpenVinoUnavailableError where it is too old or sees no such device."""
    import openvino

    version = str(getattr(openvino, "__version__", "of before 2023"))
    year = re.match(r"\d{4}", version)
    if not year or int(year[0]) < OLDEST:
        raise OpenVinoUnavailableError(
            f"OpenVINO {version} is too old: {OLDEST} or later is needed"
        )
    core = openvino.Core()
    if device == "CPU":  # to ask which there are loads what every one of them needs
        return core
    there = core.available_devices
    if device not in {*there, *(name.partition(".")[0] for name in there)}:
        raise OpenVinoUnavailableError(
            f"OpenVINO sees no device {device}, only {', '.join(there) or 'none'}"
        )
    return core


def cpu_options(threads: int, streams: int, precision: str) -> dict[str, Any]:
    """Compile options: so many inferences side by side on so many threads in all. Threads are not
    bound to cores: those that decode and detect would have to stay off them."""
    return {
        "NUM_STREAMS": streams,
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": precision,
    }


def compile_on(core: Any, model: Any, device: str, options: dict[str, Any]) -> Any:
    """The compiled model. OpenVinoUnavailableError where the device refuses it."""
    try:
        return core.compile_model(model, device, options)
    except RuntimeError as error:
        raise OpenVinoUnavailableError(
            f"OpenVINO's device {device} refuses the model: {reason(error)}"
        ) from error


def reason(error: RuntimeError) -> str:
    """What OpenVINO says after where in its source it says it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
