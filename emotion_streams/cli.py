"""The command `emotion-streams`: run its processes, and show events, cameras and counts.

The counts are those of the ledger and the dead letters.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final

from redis.exceptions import ResponseError

from emotion_streams import keys, local_instance, process_commands
from emotion_streams.backoff import REDIS_ERRORS, is_wrong_type
from emotion_streams.cameras import list_cameras, registered
from emotion_streams.connection import Client, connect_async
from emotion_streams.events import EmotionEvent
from emotion_streams.ledger import Ledger, read_ledger
from emotion_streams.process_commands import PROCESSES, CannotStartError
from emotion_streams.redaction import redact, redact_url, short_message
from emotion_streams.redis_url import InvalidRedisUrlError, parse_url
from emotion_streams.subscribe import NOW, subscribe_async

DEFAULT_URL: Final = "redis://localhost:6379"
_LONGEST_ERROR: Final = 200
_MAX_DIGITS: Final = 16


_EXAMPLES: Final = """examples:
  emotion-streams run                          a demo camera, on this machine alone
  emotion-streams run --source 0               a webcam
  emotion-streams worker --help                the options of a process
  emotion-streams tail lobby --json            the events of one camera
  emotion-streams ledger                       what became of every frame
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command.

    Returns the exit code: 0; 1 if Redis fails, or does not know a camera; 2 if the arguments are
    invalid or a required package is not installed; 3 if an account of `ledger` does not balance. A
    process that is started has its own exit codes.
    """
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] in PROCESSES:
        try:
            process_commands.become(argv[0], argv[1:])
        except CannotStartError as error:
            print(f"emotion-streams: {error}", file=sys.stderr)
            return 2
    arguments = _parser().parse_args(argv)
    if arguments.redis is None:
        arguments.redis = os.environ.get("EMOTION_REDIS") or _default_url()
    command: Callable[[argparse.Namespace], Awaitable[int]] = arguments.command
    try:
        return asyncio.run(command(arguments))  # type: ignore[arg-type]  # they are coroutines
    except UnknownCameraError as error:
        print(f"emotion-streams: {error}", file=sys.stderr)
        return 1
    except (InvalidRedisUrlError, ValueError) as error:
        print(f"emotion-streams: {error}", file=sys.stderr)
        return 2
    except REDIS_ERRORS as error:
        if isinstance(error, BrokenPipeError):  # the reader closed the pipe: normal
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        print(
            f"emotion-streams: Redis at {redact_url(arguments.redis)}: "
            f"{printable(short_message(error))}",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        return 0


class UnknownCameraError(Exception):
    """Redis does not know the named camera; the text lists the cameras that it knows."""


def _default_url() -> str:
    """Return the URL of the instance that `make run` started here, else DEFAULT_URL."""
    if (instance := local_instance.find()) is None:
        return DEFAULT_URL
    print(f"emotion-streams: the local instance, {instance.page}", file=sys.stderr)
    return instance.redis


async def _known(client: Client, named: list[str]) -> list[str]:
    """Return the named cameras, or all if none is named. Raises UnknownCameraError."""
    cameras = list(await registered(client))
    for name in named:
        left = (keys.ledger(keys.check_camera(name)), keys.dead(name))
        if name not in cameras and not await client.exists(*left):
            raise UnknownCameraError(_unknown(name, cameras))
    return named or cameras


def _unknown(name: str, cameras: list[str]) -> str:
    return f"no camera {name}; there are: {', '.join(cameras) or 'none'}"


def describe(event: EmotionEvent) -> str:
    """Format an event as one readable line."""
    moment = datetime.fromtimestamp(event.captured_ms / 1000, UTC).astimezone()
    faces = ", ".join(
        f"{face.emotion} {face.confidence:.0%} at {face.box.x:.0f},{face.box.y:.0f} "
        f"{face.box.width:.0f}x{face.box.height:.0f}"
        for face in event.faces
    )
    return (
        f"{moment:%H:%M:%S}.{event.captured_ms % 1000:03d}  {event.camera}  {event.frame_id}  "
        f"{faces or 'no face'}  ({event.latency.total_ms:.0f} ms)"
    )


async def _tail(arguments: argparse.Namespace) -> int:
    count = 0
    if arguments.cameras:
        await _say_unknown(arguments)
    events = subscribe_async(arguments.redis, arguments.cameras or None, arguments.after)
    async with aclosing(events):
        async for event in events:
            print(json.dumps(event.to_dict()) if arguments.json else describe(event), flush=True)
            count += 1
            if count == arguments.count:
                break
    return 0


async def _say_unknown(arguments: argparse.Namespace) -> None:
    """Report unknown camera names: a misspelt name would otherwise wait silently."""
    with suppress(*REDIS_ERRORS):  # the subscription waits for Redis, and logs that
        async with connect_async(arguments.redis) as client:
            cameras = list(await registered(client))
        for name in arguments.cameras:
            if name not in cameras:
                unknown = _unknown(name, cameras)
                print(f"emotion-streams: {unknown}; waiting for it", file=sys.stderr)


async def _cameras(arguments: argparse.Namespace) -> int:
    async with connect_async(arguments.redis) as client:
        statuses = await list_cameras(client)
    if arguments.json:
        shown = [{**status.to_dict(), "error": redact(status.error)} for status in statuses]
        print(json.dumps(shown, indent=2))
        return 0
    rows = [
        (
            status.camera,
            status.state,
            f"{status.fps:.1f}" if status.state == "up" else "-",
            f"{status.width}x{status.height}",
            _age(status.last_frame_age_ms),
            status.owner or "-",
            "?" if status.backlog is None else str(status.backlog),
            redact(status.error, limit=_LONGEST_ERROR),
        )
        for status in statuses
    ]
    _print_table(
        ("camera", "state", "fps", "size", "last frame", "owner", "backlog", "error"), rows
    )
    return 0


def _age(milliseconds: int | None) -> str:
    return "never" if milliseconds is None else f"{milliseconds / 1000:.1f} s ago"


async def _ledger(arguments: argparse.Namespace) -> int:
    async with connect_async(arguments.redis) as client:
        names = await _known(client, arguments.cameras)
        ledgers = [await read_ledger(client, name) for name in names]
    if arguments.json:
        print(json.dumps([ledger.to_dict() for ledger in ledgers], indent=2))
    else:
        columns = (
            "added", "analysed", "expired", "superseded", "dead", "lost", "in_flight", "queued",
            "trimmed",
        )  # fmt: skip
        _print_table(
            ("camera", *columns, "balance"),
            [
                (
                    ledger.camera,
                    *(str(getattr(ledger, column)) for column in columns),
                    _balance(ledger),
                )
                for ledger in ledgers
            ],
        )
    return 0 if all(ledger.balanced for ledger in ledgers) else 3


async def _dead(arguments: argparse.Namespace) -> int:
    async with connect_async(arguments.redis) as client:
        names = await _known(client, arguments.cameras)
        letters, unreadable = [], 0
        for name in names:
            try:
                entries = await client.xrevrange(keys.dead(name), count=arguments.count)
            except ResponseError as error:
                if not is_wrong_type(error):
                    raise
                unreadable += 1
                reason = printable(short_message(error))
                print(f"emotion-streams: camera {name}: {reason}", file=sys.stderr)
                continue
            letters += [{"camera": name, **_letter(fields)} for _, fields in entries]
    if arguments.json:
        print(json.dumps(letters, indent=2))
    else:
        _print_table(
            ("camera", "frame", "size", "deliveries", "reason"),
            [
                tuple(
                    str(letter[name])
                    for name in ("camera", "frame", "size", "deliveries", "reason")
                )
                for letter in letters
            ],
        )
    return 1 if unreadable else 0


def _letter(fields: dict[bytes, bytes]) -> dict[str, Any]:
    """Read the fields that the worker writes; any client may have written other values."""

    def text(name: bytes) -> str:
        return redact(fields.get(name, b"").decode(errors="replace"))

    def count(name: bytes) -> int:
        digits = fields.get(name, b"")
        return int(digits) if digits.isdigit() and len(digits) < _MAX_DIGITS else 0

    return {
        "frame": text(b"frame"),
        "reason": text(b"reason"),
        "size": count(b"size"),
        "deliveries": count(b"deliveries"),
    }


def _balance(ledger: Ledger) -> str:
    return "exact" if ledger.balanced else "DOES NOT BALANCE"


def _print_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    table = [header, *(tuple(map(printable, row)) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    for row in table:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def printable(text: str) -> str:
    """Escape terminal control characters: other clients wrote the text into Redis."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


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


def _parser() -> argparse.ArgumentParser:
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
    for name, process in PROCESSES.items():  # only for --help: main() starts them
        commands.add_parser(name, help=process.about, add_help=False)

    def add(name: str, command: object, about: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=about, description=about)
        sub.set_defaults(command=command)
        sub.add_argument(
            "--redis",
            type=_redis_url,
            help="URL [EMOTION_REDIS, else the instance that make run started here, else "
            f"{DEFAULT_URL}]",
        )
        sub.add_argument("--json", action="store_true", help="print JSON")
        return sub

    tail = add("tail", _tail, "Print events as they come.")
    tail.add_argument("cameras", nargs="*", help="cameras to follow [all]")
    tail.add_argument("--after", default=NOW, help="now (default), start, or an event's id")
    tail.add_argument("--count", type=_positive, help="exit after N events")
    add("cameras", _cameras, "Show every camera: state, rate, last frame, owner, backlog.")
    ledger = add("ledger", _ledger, "Show what became of every frame, and whether it adds up.")
    ledger.add_argument("cameras", nargs="*", help="cameras [all]")
    dead = add(
        "dead", _dead, "Show the dead letters: frames that could not be analysed, newest first."
    )
    dead.add_argument("cameras", nargs="*", help="cameras [all]")
    dead.add_argument("--count", type=_positive, default=100, help="maximum per camera [100]")
    return parser


if __name__ == "__main__":
    sys.exit(main())
