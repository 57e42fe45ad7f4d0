"""The sub-commands of `emotion-streams` and their options."""

import argparse
import re
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version
from typing import Final

from emotion_streams.cli import cameras, completion, events
from emotion_streams.cli.episodes import episodes
from emotion_streams.cli.minutes import minutes
from emotion_streams.local_instance import DEFAULT_URL
from emotion_streams.process_commands import PROCESSES
from emotion_streams.redis_url import InvalidRedisUrlError, parse_url
from emotion_streams.subscribe import NOW

_EXAMPLES: Final = """examples:
  emotion-streams run                          a demo camera, on this machine alone
  emotion-streams run --source 0               a webcam
  emotion-streams worker --help                the options of a process
  emotion-streams tail lobby --json            the events of one camera
  emotion-streams episodes lobby --since 2h    who came, which emotions showed, and how long
  emotion-streams minutes lobby --csv          a row per minute, for a spreadsheet
  emotion-streams ledger                       what became of every frame
"""

_UNITS_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_HOUR_MS: Final = _UNITS_MS["h"]

_Add = Callable[[str, object, str], argparse.ArgumentParser]


def build_parser(files: Mapping[str, object] | None = None) -> argparse.ArgumentParser:
    """Make the parser. Its result has `command`, the coroutine function to run.

    `files`: how each shell completes names of files, as shtab describes it.
    """
    parser = argparse.ArgumentParser(
        prog="emotion-streams",
        description="Run the processes of emotion-streams, and look into a running one.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"emotion-streams {version('emotion-streams')}"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, process in PROCESSES.items():  # for --help and completion: main() starts them
        rest = commands.add_parser(name, help=process.about).add_argument("arguments", nargs="*")
        rest.complete = files  # type: ignore[attr-defined]  # read by shtab

    def add(name: str, command: object, about: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=about, description=about)
        sub.set_defaults(command=command)
        sub.add_argument(
            "--redis",
            type=_redis_url,
            help="URL [EMOTION_REDIS, else the instance that `emotion-streams run` started here, "
            f"else {DEFAULT_URL}]",
        )
        sub.add_argument("--json", action="store_true", help="print JSON")
        return sub

    _add_streams(add)
    _add_cameras(add)
    about = "Print a script that completes these commands in a shell."
    script = commands.add_parser("completion", help=about, description=about)
    script.add_argument("shell", choices=completion.SHELLS)
    # It reads nothing from Redis.
    script.set_defaults(command=partial(completion.completion, build_parser), redis="")
    return parser


def _add_streams(add: _Add) -> None:
    tail = add("tail", events.tail, "Print events as they come.")
    tail.add_argument("cameras", nargs="*", help="cameras to follow [all]")
    tail.add_argument("--after", default=NOW, help="now (default), start, or an event's id")
    tail.add_argument("--count", type=_positive, help="exit after N events")
    shown = add("episodes", episodes, "Show who was in view, and which emotions showed.")
    shown.add_argument("cameras", nargs="*", help="cameras [all]")
    shown.add_argument("--follow", action="store_true", help="print records as they come")
    shown.add_argument(
        "--after", metavar="ID", help="with --follow: now (default), start, or a record's entry_id"
    )
    _add_since(shown, None, "1h; with --follow: only new ones")
    summed = add("minutes", minutes, "Show people and emotions by the minute.")
    summed.add_argument("cameras", nargs="*", help="cameras [all]")
    summed.add_argument("--csv", action="store_true", help="print CSV, with every column")
    _add_since(summed, _HOUR_MS, "1h")


def _add_since(command: argparse.ArgumentParser, default: int | None, described: str) -> None:
    command.add_argument(
        "--since",
        type=_duration_ms,
        default=default,
        metavar="TIME",
        help=f"how far back: 90s, 15m, 2h, 7d [{described}]",
    )


def _add_cameras(add: _Add) -> None:
    add("cameras", cameras.cameras, "Show every camera: state, rate, last frame, owner, backlog.")
    ledger = add(
        "ledger", cameras.ledger, "Show what became of every frame, and whether it adds up."
    )
    ledger.add_argument("cameras", nargs="*", help="cameras [all]")
    dead = add(
        "dead",
        cameras.dead,
        "Show the dead letters: frames that could not be analysed, newest first.",
    )
    dead.add_argument("cameras", nargs="*", help="cameras [all]")
    dead.add_argument("--count", type=_positive, default=100, help="maximum per camera [100]")


def _redis_url(url: str) -> str:
    try:
        parsed = parse_url(url, {})
    except InvalidRedisUrlError:
        return url  # the command reports what is wrong with it
    if "password" in {**parsed.options, **parsed.sentinel_options}:
        raise argparse.ArgumentTypeError(
            "holds a password, which every user of this machine could read here: "
            "give the URL by EMOTION_REDIS, or the password by EMOTION_REDIS_PASSWORD"
        )
    return url


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from 1")
    return int(text)


def _duration_ms(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r}: a time such as 90s, 15m, 2h or 7d")
    return int(match[1]) * _UNITS_MS[match[2]]
