"""`python -m tests.benchmarks NAME`: run a benchmark and print one JSON line."""

import argparse
import importlib
import json
import sys
from typing import Final

import cv2

from tests.benchmarks import machine

NAMES: Final = ("pipeline", "engines", "detectors", "latency", "overload", "origin", "dataplane")
_X = (
    "engines", "detectors", "pipeline", "dataplane", "latency", "overload", "origin", "scale",
    "peers",
)  # fmt: skip


def main() -> int:
    """Each benchmark is a module of that name, with add_arguments() and run()."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks", description=__doc__)
    chosen = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name in NAMES:
        module = importlib.import_module(f"tests.benchmarks.{name}")
        one = chosen.add_parser(name, help=module.__doc__, description=module.__doc__)
        one.add_argument("--short", action="store_true", help="in under a minute, less exact")
        module.add_arguments(one)
        one.set_defaults(run=module.run)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)  # as the worker does
    about = machine.describe()
    result = arguments.run(arguments)
    print(json.dumps({"benchmark": arguments.name, **result, "short": arguments.short, **about}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
