"""`python -m tests.benchmarks NAME`: run a benchmark and print one JSON line; `all` runs every one
but `peers`, which installs gigabytes, and `gpu` and `page` without a GPU and a Chromium."""

import argparse
import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, NoReturn

import cv2

from tests.benchmarks import machine
from tests.benchmarks.material import BadInputError
from training.commands.evaluate import stdout_to_stderr
from training.datasets import InvalidDataError
from worker.inference.detect.choose import DetectorUnavailableError
from worker.inference.devices import visible_gpus
from worker.inference.engines.choose import EngineUnavailableError
from worker.model import release
from worker.model.card import InvalidReleaseError, read_card

NAMES: Final = (
    "engines",
    "detectors",
    "pipeline",
    "dataplane",
    "reuse",
    "latency",
    "overload",
    "origin",
    "scale",
    "tracking",
    "labels",
    "producer",
    "page",
    "gpu",
    "peers",
)


def main(argv: list[str]) -> int:
    """Each benchmark is a module of that name, with add_arguments(), run(), and in SHORT what
    --short takes where nothing else is given."""
    first = _Parser(prog="tests.benchmarks", description=__doc__, add_help=False)
    first.add_argument("name", choices=(*NAMES, "all"))
    if argv[:1] in ([], ["-h"], ["--help"]):
        first.print_help()
        return 2
    name: str = first.parse_args(argv[:1]).name
    if name == "all":
        left_out = {"peers"} if visible_gpus() else {"peers", "gpu"}
        if shutil.which("chromium") is None:
            left_out.add("page")
        codes = [_in_a_process(each, argv[1:]) for each in NAMES if each not in left_out]
        return int(any(codes))
    # Only this one: some import TensorFlow.
    module = importlib.import_module(f"tests.benchmarks.{name}")
    parser = _Parser(prog=f"tests.benchmarks {name}", description=module.__doc__)
    parser.add_argument("--short", action="store_true", help="in under a minute, less exact")
    module.add_arguments(parser)
    if "--short" in argv:
        parser.set_defaults(**module.SHORT)
    arguments = parser.parse_args(argv[1:])
    cv2.setNumThreads(1)  # as the worker does
    about = machine.describe()
    try:
        if "model" in arguments:
            card = read_card(release.locate(arguments.model))
            about["model"] = f"{card.name} {card.version}"
        with stdout_to_stderr():
            result = module.run(arguments)
    except (
        BadInputError,
        InvalidDataError,
        InvalidReleaseError,
        DetectorUnavailableError,
        EngineUnavailableError,
    ) as error:
        parser.error(str(error))
    given = {key: _plain(value) for key, value in vars(arguments).items()}
    print(json.dumps({"benchmark": name, **result, "options": given, **about}))
    return 0


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


def _in_a_process(name: str, options: list[str]) -> int:
    """Each by itself: what one leaves behind must not slow down the next."""
    command = [sys.executable, "-m", "tests.benchmarks", name, *options]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
