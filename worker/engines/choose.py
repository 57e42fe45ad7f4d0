"""Which engine a worker runs."""

import importlib.util
import logging
from collections.abc import Sequence
from typing import Final

from worker.devices import visible_gpus
from worker.engines import Engine
from worker.model.release import Release

ENGINES: Final = ("keras", "mnn")

log = logging.getLogger(__name__)


class NoEngine(RuntimeError):
    """The engine asked for cannot run here: why, and what to do."""


def build_engine(name: str, release: Release, threads: int) -> Engine:
    """The engine `keras` or `mnn`, or for `auto` the faster of them here. Frameworks are imported
    here and nowhere before. Raises NoEngine."""
    if name != "auto":
        return _build(name, release, threads)
    name, reason = prefer(visible_gpus(), [n for n in ENGINES if _installed(n)])
    log.info("engine %s: %s", name, reason)
    return _build(name, release, threads)


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
            from worker.engines.mnn import MnnEngine

            return MnnEngine(release, threads)
        from worker.engines.keras import KerasEngine

        engine = KerasEngine(release, threads)
    except ImportError as error:
        raise NoEngine(
            f"engine {name} cannot run here: {error}. "
            f"Install it with pip install 'emotion-streams[{name}]', or take the other --engine"
        ) from error
    if not engine.on_gpu and visible_gpus():
        log.warning(
            "a GPU is visible, but Keras' backend runs on the CPU: it was installed without CUDA "
            "(pip install 'tensorflow[and-cuda]'). On a CPU --engine mnn is several times faster"
        )
    return engine
