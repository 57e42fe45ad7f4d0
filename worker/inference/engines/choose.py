"""Which engine a worker runs."""

import importlib.util
import logging
from collections.abc import Sequence
from typing import Final

from worker.inference.devices import has_int8, visible_gpus
from worker.inference.engines import Engine
from worker.inference.openvino_core import OpenVinoUnavailableError
from worker.model.release import Release

ENGINES: Final = ("keras", "openvino", "mnn")

_MODULE: Final = {"keras": "keras", "openvino": "openvino", "mnn": "MNN"}

log = logging.getLogger(__name__)


class EngineUnavailableError(RuntimeError):
    """The engine asked for cannot run here: why, and what to do."""


class IdleGpuError(EngineUnavailableError):
    """Keras is here, and so is a GPU, which it cannot use."""


def build_engine(name: str, release: Release, threads: int, device: str = "CPU") -> Engine:
    """The engine of that name, or for `auto` the fastest of them here. Frameworks are imported
    here and nowhere before. Where a GPU is visible, keras runs on it or not at all. `device` is
    OpenVINO's name of what its engine runs on; another than the CPU is for that engine alone.
    Raises EngineUnavailableError."""
    if device != "CPU" and name not in ("auto", "openvino"):
        raise EngineUnavailableError(f"--device {device} is OpenVINO's: take --engine openvino")
    if name != "auto" or device != "CPU":
        return _build("openvino" if name == "auto" else name, release, threads, device)
    gpus, usable = visible_gpus(), [n for n in ENGINES if _usable(n, release)]
    name, reason = prefer(gpus, usable)
    # A GPU that is there and stays idle is hardly what its owner wants.
    log.log(
        logging.WARNING if gpus and name != "keras" else logging.INFO, "engine %s: %s", name, reason
    )
    try:
        return _build(name, release, threads)
    except IdleGpuError as error:
        on_cpu, _ = prefer((), usable)
        if on_cpu == "keras":
            raise
        log.warning("engine %s: %s", on_cpu, error)
        return _build(on_cpu, release, threads)


def prefer(gpus: Sequence[str], usable: Sequence[str]) -> tuple[str, str]:
    """The engine that `auto` takes, and why: keras where a GPU is visible, else openvino, else mnn.
    `usable` are those installed that would be fast here."""
    here = f"GPU {', '.join(gpus)} is visible" if gpus else "no GPU is visible"
    order = ("keras", "openvino", "mnn") if gpus else ("openvino", "mnn", "keras")
    name = next((name for name in order if name in usable), "keras" if gpus else "mnn")
    if gpus and name != "keras" and usable:
        return name, f"{here}, but keras is not installed"
    if name == "keras" and not gpus and usable:
        return name, f"{here}, but mnn is not installed"
    return name, here


def _usable(engine: str, release: Release) -> bool:
    """Whether it is installed; OpenVINO is the faster one on a CPU in int8 alone."""
    if not importlib.util.find_spec(_MODULE[engine]):
        return False
    return engine != "openvino" or (release.int8 is not None and has_int8())


def _build(name: str, release: Release, threads: int, device: str = "CPU") -> Engine:
    try:
        if name == "mnn":
            from worker.inference.engines.mnn import MnnEngine

            return MnnEngine(release, threads)
        if name == "openvino":
            from worker.inference.engines.openvino import OpenVinoEngine

            return OpenVinoEngine(release, threads, device)
        from worker.inference.engines.keras import KerasEngine

        engine = KerasEngine(release, threads)
    except ImportError as error:
        raise EngineUnavailableError(
            f"engine {name} cannot run here: {error}. "
            f"Install it with pip install 'emotion-streams[{name}]', or take another --engine"
        ) from error
    except OpenVinoUnavailableError as error:
        raise EngineUnavailableError(f"engine openvino cannot run here: {error}") from error
    if visible_gpus() and not engine.on_gpu:
        raise IdleGpuError(
            f"GPU {', '.join(visible_gpus())} is visible, but Keras' backend runs on the CPU: "
            "install it with CUDA (pip install 'emotion-streams[gpu]'), take --engine openvino or "
            "mnn, which are faster on a CPU, or hide the GPU by an empty CUDA_VISIBLE_DEVICES"
        )
    return engine
