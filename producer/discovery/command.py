"""`emotion-streams discover`: print the ONVIF cameras of the network as lines of a file."""

import argparse
import contextlib
import io
import logging
import sys
from typing import Final

from producer.discovery.lines import name_cameras, secrets, to_yaml
from producer.discovery.onvif import find_streams
from producer.discovery.search import PORT, Answers, search
from service.parser import Parser

_LONGEST_S: Final = 60.0
_STREAMS_S: Final = 6.0
_MAX_PORT: Final = 65_535


def main(argv: list[str]) -> int:
    """Search, and print the cameras that answered.

    The exit code is 0, 1 if no camera answered, and 2 if the arguments are invalid.
    """
    arguments = _parser().parse_args(argv)
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    answers = search(arguments.address, arguments.timeout_s)
    _report_faults(answers)
    cameras = name_cameras(answers.devices())
    if not cameras:
        asked = ", ".join(answers.asked) or "no interface has an IPv4 address"
        waited = f"within {arguments.timeout_s:g} s"
        print(f"discover: no ONVIF camera answered {waited} ({asked})", file=sys.stderr)
        return 1
    streams = find_streams(cameras, _STREAMS_S)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # In a locale without a camera's letters; \xe9 is an escape of YAML too.
        sys.stdout.reconfigure(errors="backslashreplace")
    print(to_yaml(cameras, streams), end="")
    variables = ", ".join(variable for name in cameras for variable in secrets(name))
    print(f"# Set in the environment of the producer: {variables}")
    return 0


def _report_faults(answers: Answers) -> None:
    for fault in answers.faults:
        print(f"discover: {fault}", file=sys.stderr)
    if answers.unreadable:
        print(
            f"discover: {answers.unreadable} replies cannot be read and are left out",
            file=sys.stderr,
        )


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="emotion-streams discover",
        description="Find the ONVIF cameras of the network, and print them as lines of a file of "
        "cameras. Asks by multicast on every interface, over IPv4; a router does not pass it on.",
    )
    parser.add_argument(
        "--address", action="append", default=[], type=_address, metavar="HOST[:PORT]",
        help="ask this address instead of the network; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--timeout-s", default=3.0, type=_seconds, help="how long to wait for answers [3]"
    )
    return parser


def _address(text: str) -> tuple[str, int]:
    host, separator, port = text.partition(":")
    if host and not separator:
        return host, PORT
    if host and port.isdecimal() and 0 < int(port) <= _MAX_PORT:
        return host, int(port)
    raise argparse.ArgumentTypeError(f"{text}: must be HOST or HOST:PORT, for IPv4")


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < (seconds := float(text)) <= _LONGEST_S:
            return seconds
    raise argparse.ArgumentTypeError(f"{text}: must be above 0 and at most {_LONGEST_S:.0f}")
