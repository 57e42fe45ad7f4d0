"""The command `emotion-streams`: look at events, cameras, the ledger and the dead letters."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from emotion_streams import keys
from emotion_streams.backoff import REDIS_ERRORS
from emotion_streams.cameras import list_cameras, registered
from emotion_streams.connection import connect
from emotion_streams.events import EmotionEvent
from emotion_streams.ledger import Ledger, read_ledger
from emotion_streams.redaction import redact_url, short_message
from emotion_streams.redis_url import InvalidRedisUrl
from emotion_streams.subscribe import NOW, subscribe_async


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code is 0, 1 where Redis fails, 2 where the call is wrong, and for
    `ledger` 3 where an account does not balance."""
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], Awaitable[int]] = arguments.command
    try:
        return asyncio.run(command(arguments))  # type: ignore[arg-type]  # they are coroutines
    except (InvalidRedisUrl, ValueError) as error:
        print(f"emotion-streams: {error}", file=sys.stderr)
        return 2
    except REDIS_ERRORS as error:
        if isinstance(error, BrokenPipeError):  # the reader of a pipe went away: a normal end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        print(
            f"emotion-streams: Redis at {redact_url(arguments.redis)}: {short_message(error)}",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        return 0


def describe(event: EmotionEvent) -> str:
    """An event as one readable line."""
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
    events = subscribe_async(arguments.redis, arguments.cameras or None, arguments.after)
    async with aclosing(events):
        async for event in events:
            print(json.dumps(event.to_dict()) if arguments.json else describe(event), flush=True)
            count += 1
            if count == arguments.count:
                break
    return 0


async def _cameras(arguments: argparse.Namespace) -> int:
    async with connect(arguments.redis) as client:
        statuses = await list_cameras(client)
    if arguments.json:
        print(json.dumps([status.to_dict() for status in statuses], indent=2))
        return 0
    rows = [
        (
            status.camera,
            status.state,
            f"{status.fps:.1f}",
            f"{status.width}x{status.height}",
            _age(status.last_frame_age_ms),
            status.owner or "-",
            "?" if status.lag is None else str(status.lag),
            status.error,
        )
        for status in statuses
    ]
    _print_table(("camera", "state", "fps", "size", "last frame", "owner", "lag", "error"), rows)
    return 0


def _age(milliseconds: int | None) -> str:
    return "never" if milliseconds is None else f"{milliseconds / 1000:.1f} s ago"


async def _ledger(arguments: argparse.Namespace) -> int:
    async with connect(arguments.redis) as client:
        names = arguments.cameras or list(await registered(client))
        ledgers = [await read_ledger(client, keys.check_camera(name)) for name in names]
    if arguments.json:
        print(json.dumps([ledger.to_dict() for ledger in ledgers], indent=2))
    else:
        columns = (
            "added", "analysed", "expired", "late", "dead", "lost", "in_flight", "queued",
            "dropped",
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
    if arguments.replay:
        raise ValueError(
            "dead letters cannot be replayed: they hold no pixels, by design "
            "(faces are never kept). Without --replay you see what is known of each"
        )
    async with connect(arguments.redis) as client:
        letters = []
        for name in arguments.cameras or list(await registered(client)):
            key = keys.dead(keys.check_camera(name))
            for _, fields in await client.xrevrange(key, count=arguments.count):
                letters.append({"camera": name, **_letter(fields)})
    if arguments.json:
        print(json.dumps(letters, indent=2))
        return 0
    _print_table(
        ("camera", "frame", "size", "deliveries", "reason"),
        [
            (row["camera"], row["frame"], str(row["size"]), str(row["deliveries"]), row["reason"])
            for row in letters
        ],
    )
    return 0


def _letter(fields: dict[bytes, bytes]) -> dict[str, Any]:
    text = {name.decode(): value.decode(errors="replace") for name, value in fields.items()}
    return {
        "frame": text.get("frame", ""),
        "reason": text.get("reason", ""),
        "size": int(text.get("size", 0)),
        "deliveries": int(text.get("deliveries", 0)),
    }


def _balance(ledger: Ledger) -> str:
    return "exact" if ledger.balanced else "DOES NOT BALANCE"


def _print_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    table = [header, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    for row in table:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="emotion-streams", description="Look into a running emotion-streams."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: object, about: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=about, description=about)
        sub.set_defaults(command=command)
        sub.add_argument(
            "--redis",
            default=os.environ.get("EMOTION_REDIS", "redis://localhost:6379"),
            help="URL; EMOTION_REDIS otherwise, else redis://localhost:6379",
        )
        sub.add_argument("--json", action="store_true", help="print JSON")
        return sub

    tail = add("tail", _tail, "Print events as they come.")
    tail.add_argument("cameras", nargs="*", help="cameras to follow; all without")
    tail.add_argument("--after", default=NOW, help="now (default), start, or an event's id")
    tail.add_argument("--count", type=int, help="end after so many events")
    add("cameras", _cameras, "Show every camera: state, rate, last frame, owner, lag.")
    ledger = add("ledger", _ledger, "Show what became of every frame, and whether it adds up.")
    ledger.add_argument("cameras", nargs="*", help="cameras; all without")
    dead = add("dead", _dead, "Show the dead letters, newest first: frames nobody could analyse.")
    dead.add_argument("cameras", nargs="*", help="cameras; all without")
    dead.add_argument("--count", type=int, default=100, help="at most so many per camera")
    dead.add_argument("--replay", action="store_true", help="not possible; says why")
    return parser


if __name__ == "__main__":
    sys.exit(main())
