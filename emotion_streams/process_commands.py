"""The sub-commands of `emotion-streams` that run a process: worker, producer, gateway and so on.

A wheel contains the processes as private files in `processes/`, so that it installs no top-level
module named `worker`; in a checkout they are the folders beside this package. A command replaces
itself by `python -m MODULE` with that folder on its PYTHONPATH.
"""

import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

_PACKAGE: Final = Path(__file__).parent
_SETTINGS: Final = ("pydantic", "pydantic_settings", "yaml")
_SERVICE: Final = (*_SETTINGS, "prometheus_client")
_PICTURES: Final = ("cv2", "numpy")
_CAMERAS: Final = (*_SERVICE, *_PICTURES, "httpx")


class CannotStartError(Exception):
    """The process cannot be started; the text gives the reason and a remedy."""


@dataclass(frozen=True)
class Process:
    """The process of a sub-command: `python -m module arguments...`.

    `extra`: the extra of this package that installs the modules that the process imports.
    `imports`: those modules, except those that the process itself reports as missing when it needs
    them.
    """

    about: str
    module: str
    extra: str
    imports: tuple[str, ...]
    arguments: tuple[str, ...] = ()


_TRAINING: Final = (*_PICTURES, "matplotlib")

PROCESSES: Final = {
    "run": Process(
        "Run everything on this machine: a camera, a worker, the live page, a server.",
        "deploy.local",
        "local",
        (*_CAMERAS, "starlette", "uvicorn"),
    ),
    "analyse": Process(
        "Turn video files into tables, annotated videos and reports.",
        "analyse",
        "local",
        (*_SERVICE, *_PICTURES),
    ),
    "worker": Process(
        "Analyse the frames of attached cameras.", "worker", "worker", (*_SERVICE, *_PICTURES)
    ),
    "producer": Process("Store the frames of cameras in Redis.", "producer", "producer", _CAMERAS),
    "probe": Process(
        "Open a camera and print what it gives, or why it does not.",
        "producer",
        "producer",
        _CAMERAS,
        ("probe",),
    ),
    "discover": Process(
        "Find the ONVIF cameras of the network, as lines for a file of cameras.",
        "producer",
        "producer",
        _CAMERAS,
        ("discover",),
    ),
    "gateway": Process(
        "Serve the live page, and events over HTTP.",
        "gateway",
        "gateway",
        (*_SERVICE, "starlette", "uvicorn"),
    ),
    "training": Process(
        "Count data, train, score, release and quantize models.", "training", "training", _TRAINING
    ),
    "sink": Process(
        "Deliver episodes, minutes and states to MQTT, webhooks and databases.",
        "sinks",
        "sinks",
        (*_SERVICE, "paho", "httpx", "psycopg"),
    ),
    "train": Process("Train a model.", "training", "training", _TRAINING, ("train",)),
    "evaluate": Process(
        "Score a model on labelled faces.", "training", "training", _TRAINING, ("evaluate",)
    ),
    "export": Process(
        "Make a release of a training run.", "training", "training", _TRAINING, ("export",)
    ),
    "capacity": Process(
        "Measure how many cameras this machine holds.",
        "deploy.capacity",
        "local",
        (*_SERVICE, *_PICTURES),
    ),
    "redis": Process(
        "Run a server on this machine that keeps frames in memory only.",
        "deploy.redis_server",
        "local",
        _SETTINGS,
    ),
}
"""The sub-commands, by name."""


def become(name: str, arguments: Sequence[str]) -> NoReturn:
    """Replace this process by the process of the sub-command `name`.

    All arguments are passed on: the process itself validates them, and hides passwords in them.
    Raises CannotStartError if a required package is missing.
    """
    process = PROCESSES[name]
    folder = _folder(process)
    missing = [module for module in process.imports if importlib.util.find_spec(module) is None]
    if missing:
        raise CannotStartError(
            f"{name} needs {', '.join(missing)}, not installed here: "
            f"pip install 'emotion-streams[{process.extra}]'"
        )
    command = [sys.executable, "-m", process.module, *process.arguments, *arguments]
    inherited = os.environ.get("PYTHONPATH", "")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(folder), inherited))),
        # Otherwise a file worker.py in the working directory would run instead of the worker.
        "PYTHONSAFEPATH": "1",
    }
    os.execve(sys.executable, command, environment)  # noqa: S606 - Python itself, with no shell between


def _folder(process: Process) -> Path:
    """Return the folder that contains the processes. Raises CannotStartError if there is none."""
    top = process.module.partition(".")[0]
    for folder in (_PACKAGE / "processes", _PACKAGE.parent):
        if (folder / top / "__init__.py").is_file():
            return folder
    raise CannotStartError(
        f"{process.module} is not part of this installation: install the wheel of emotion-streams, "
        "or run it in a checkout"
    )
