"""Chooses the engine of a worker."""

import importlib.util
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from worker.inference.devices import has_int8, visible_gpus
from worker.inference.engines import Engine
from worker.inference.openvino_core import OpenVinoUnavailableError
from worker.model.release import Release

ENGINES: Final = ("keras", "openvino", "mnn")

_MODULE: Final = {"keras": "keras", "openvino": "openvino", "mnn": "MNN"}

log = logging.getLogger(__name__)


class EngineUnavailableError(RuntimeError):
    """The requested engine cannot run here; the message says why and what to do."""


class IdleGpuError(EngineUnavailableError):
    """Keras is installed and a GPU is visible, but Keras cannot use it."""


def build_engine(
    name: str,
    release: Release,
    threads: int,
    device: str = "CPU",
    *,
    full_precision: bool = False,
) -> Engine:
    """Build the engine of that name, or for `auto` the fastest engine that runs on this machine.

    Frameworks are imported here, not earlier. If a GPU is visible, the keras engine runs on it or
    not at all. `device` is OpenVINO's name of the device for its engine; only that engine accepts
    a device other than the CPU. `full_precision`: in float32 on a GPU as well. Raises
    EngineUnavailableError.
    """
    if device != "CPU" and name not in ("auto", "openvino"):
        raise EngineUnavailableError(f"--device {device} is OpenVINO's: take --engine openvino")
    if name != "auto" or device != "CPU":
        chosen = "openvino" if name == "auto" else name
        return _build(chosen, release, threads, device, full_precision)
    gpus, usable = visible_gpus(), [n for n in ENGINES if is_usable(n, release)]
    name, reason = prefer(gpus, usable)
    # A visible GPU that stays idle is probably not intended.
    log.log(
        logging.WARNING if gpus and name != "keras" else logging.INFO, "engine %s: %s", name, reason
    )
    try:
        return _build(name, release, threads, "CPU", full_precision)
    except EngineUnavailableError as error:
        for other in _others(name, usable, error):
            log.warning("engine %s: %s", other, error)
            with suppress(EngineUnavailableError):
                return _build(other, release, threads, "CPU", full_precision)
        raise


def _others(failed: str, usable: Sequence[str], error: EngineUnavailableError) -> list[str]:
    """Return the engines to try after one that cannot run, the fastest first.

    OpenVINO also runs where it is not fast. Keras is left out if it left a GPU idle.
    """
    order = ["openvino", "mnn", "keras"]
    fast = [name for name in order if name in usable]
    slow = [
        name for name in order if name not in usable and importlib.util.find_spec(_MODULE[name])
    ]
    without = {failed, "keras"} if isinstance(error, IdleGpuError) else {failed}
    return [name for name in (*fast, *slow) if name not in without]


def prefer(gpus: Sequence[str], usable: Sequence[str]) -> tuple[str, str]:
    """Return the engine that `auto` chooses, and why.

    It is keras if a GPU is visible, else openvino, else mnn. `usable` are the installed engines
    that would be fast on this machine.
    """
    here = f"GPU {', '.join(gpus)} is visible" if gpus else "no GPU is visible"
    order = ("keras", "openvino", "mnn") if gpus else ("openvino", "mnn", "keras")
    name = next((name for name in order if name in usable), "keras" if gpus else "mnn")
    if gpus and name != "keras" and usable:
        return name, f"{here}, but keras is not installed"
    if name == "keras" and not gpus and usable:
        return name, f"{here}, but mnn is not installed"
    return name, here


def is_usable(engine: str, release: Release) -> bool:
    """Return whether an engine is installed; openvino only counts if it can run in int8.

    On a CPU, OpenVINO is faster than the other engines only in int8.
    """
    if not importlib.util.find_spec(_MODULE[engine]):
        return False
    return engine != "openvino" or (release.int8 is not None and has_int8())


def _build(name: str, release: Release, threads: int, device: str, full_precision: bool) -> Engine:
    try:
        if name == "mnn":
            from worker.inference.engines.mnn import MnnEngine

            return MnnEngine(release, threads)
        if name == "openvino":
            from worker.inference.engines.openvino import OpenVinoEngine

            return OpenVinoEngine(release, threads, device)
        engine = _build_keras(release, threads, "float32" if full_precision else None)
    except ImportError as error:
        raise EngineUnavailableError(
            f"engine {name} cannot run here: {error}. "
            f"Install it with pip install 'emotion-streams[{name}]', or take another --engine"
        ) from error
    except OpenVinoUnavailableError as error:
        raise EngineUnavailableError(f"engine openvino cannot run here: {error}") from error
    return engine


def _build_keras(release: Release, threads: int, policy: str | None) -> Engine:
    try:
        from worker.inference.engines.keras import KerasEngine
    except ValueError as error:  # raised by Keras for an unknown KERAS_BACKEND
        raise EngineUnavailableError(f"engine keras cannot run here: {error}") from error
    engine = KerasEngine(release, threads, policy)
    if visible_gpus() and not engine.on_gpu:
        raise IdleGpuError(
            f"GPU {', '.join(visible_gpus())} is visible, but Keras' backend runs on the CPU: "
            "install it with CUDA (pip install 'emotion-streams[gpu]'), take --engine openvino or "
            "mnn, which are faster on a CPU, or hide the GPU by an empty CUDA_VISIBLE_DEVICES"
        )
    return engine
