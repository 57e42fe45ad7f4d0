"""Which engine a worker runs."""

import importlib.util
from typing import Final

from worker.engines import Engine
from worker.model.release import Release

ENGINES: Final = ("keras", "mnn")


class NoEngine(RuntimeError):
    """The engine asked for cannot run here: why, and what to do."""


def build_engine(name: str, release: Release, threads: int) -> Engine:
    """The engine `keras` or `mnn`; `auto` takes mnn where it is installed, else keras. Frameworks
    are imported here and nowhere before. Raises NoEngine."""
    if name == "auto":
        name = "mnn" if importlib.util.find_spec("MNN") else "keras"
    try:
        if name == "mnn":
            from worker.engines.mnn import MnnEngine

            return MnnEngine(release, threads)
        from worker.engines.keras import KerasEngine

        return KerasEngine(release)
    except ImportError as error:
        raise NoEngine(
            f"engine {name} cannot run here: {error}. "
            f"Install it with pip install 'emotion-streams[{name}]', or take the other --engine"
        ) from error
