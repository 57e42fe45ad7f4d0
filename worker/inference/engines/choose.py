"""Which engine a worker runs."""

import importlib.util
import logging
from collections.abc import Sequence
from typing import Final

from worker.inference.devices import visible_gpus
from worker.inference.engines import Engine
from worker.model.release import Release

ENGINES: Final = ("keras", "mnn")

log = logging.getLogger(__name__)


class NoEngine(RuntimeError):
    """The engine asked for cannot run here: why, and what to do."""


class IdleGpu(NoEngine):
    """Keras is here, and so is a GPU, which it cannot use."""


def build_engine(name: str, release: Release, threads: int) -> Engine:
    """The engine `keras` or `mnn`, or for `auto` the faster of them here. Frameworks are imported
    here and nowhere before. Where a GPU is visible, keras runs on it or not at all.
    Raises NoEngine."""
    if name != "auto":
        return _build(name, release, threads)
    gpus, installed = visible_gpus(), [n for n in ENGINES if _installed(n)]
    name, reason = prefer(gpus, installed)
    # A GPU that is there and stays idle is hardly what its owner wants.
    log.log(
        logging.WARNING if gpus and name == "mnn" else logging.INFO, "engine %s: %s", name, reason
    )
    try:
        return _build(name, release, threads)
    except IdleGpu as error:
        if "mnn" not in installed:
            raise
        log.warning("engine mnn: %s", error)
        return _build("mnn", release, threads)


def prefer(gpus: Sequence[str], installed: Sequence[str]) -> tuple[str, str]:
    """The engine that `auto` takes, and why: keras where a GPU is visible, else mnn."""
    here = f"GPU {', '.join(gpus)} is visible" if gpus else "no GPU is visible"
    first, second = ("keras", "mnn") if gpus else ("mnn", "keras")
    if first in installed or second not in installed:
        return first, here
    return second, f"{here}, but {first} is not installed"


def _installed(engine: str) -> bool:
    modules = ("MNN",) if engine == "mnn" else ("keras",)
    return all(importlib.util.find_spec(module) for module in modules)


def _build(name: str, release: Release, threads: int) -> Engine:
    try:
        if name == "mnn":
            from worker.inference.engines.mnn import MnnEngine

            return MnnEngine(release, threads)
        from worker.inference.engines.keras import KerasEngine

        engine = KerasEngine(release, threads)
    except ImportError as error:
        raise NoEngine(
            f"engine {name} cannot run here: {error}. "
            f"Install it with pip install 'emotion-streams[{name}]', or take the other --engine"
        ) from error
    if visible_gpus() and not engine.on_gpu:
        raise IdleGpu(
            f"GPU {', '.join(visible_gpus())} is visible, but Keras' backend runs on the CPU: "
            "install it with CUDA (pip install 'emotion-streams[gpu]'), take --engine mnn, which "
            "is faster on a CPU, or hide the GPU by an empty CUDA_VISIBLE_DEVICES"
        )
    return engine
