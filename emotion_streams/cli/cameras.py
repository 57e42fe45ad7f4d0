"""`emotion-streams cameras`, `ledger` and `dead`: the state of cameras and of their frames."""

import argparse
import json
import sys
from typing import Any, Final

from redis.exceptions import ResponseError

from emotion_streams import keys
from emotion_streams.backoff import is_wrong_type
from emotion_streams.cameras import CameraState, list_cameras
from emotion_streams.cli.lookup import known_cameras
from emotion_streams.cli.output import print_table
from emotion_streams.connection import connect_async
from emotion_streams.ledger import Ledger, read_ledger
from emotion_streams.printable import printable
from emotion_streams.redaction import redact, short_message

_LONGEST_ERROR: Final = 200
_MAX_DIGITS: Final = 16


async def cameras(arguments: argparse.Namespace) -> int:
    """Print the status of every camera."""
    async with connect_async(arguments.redis) as client:
        statuses = await list_cameras(client)
    if arguments.json:
        shown = [{**status.to_dict(), "error": redact(status.error)} for status in statuses]
        print(json.dumps(shown, indent=2))
        return 0
    rows = [
        (
            status.camera,
            status.state.value,
            f"{status.fps:.1f}" if status.state is CameraState.UP else "-",
            f"{status.width}x{status.height}",
            _age(status.last_frame_age_ms),
            status.owner or "-",
            "?" if status.backlog is None else str(status.backlog),
            redact(status.error, limit=_LONGEST_ERROR),
        )
        for status in statuses
    ]
    print_table(("camera", "state", "fps", "size", "last frame", "owner", "backlog", "error"), rows)
    return 0


def _age(milliseconds: int | None) -> str:
    return "never" if milliseconds is None else f"{milliseconds / 1000:.1f} s ago"


async def ledger(arguments: argparse.Namespace) -> int:
    """Print the accounts of the cameras. Returns 3 if one does not balance."""
    async with connect_async(arguments.redis) as client:
        names = await known_cameras(client, arguments.cameras)
        accounts = [await read_ledger(client, name) for name in names]
    if arguments.json:
        print(json.dumps([account.to_dict() for account in accounts], indent=2))
    else:
        columns = (
            "added", "analysed", "expired", "superseded", "dead", "lost", "pending", "queued",
            "trimmed",
        )  # fmt: skip
        print_table(
            ("camera", *columns, "balance"),
            [
                (
                    account.camera,
                    *(str(getattr(account, column)) for column in columns),
                    _balance(account),
                )
                for account in accounts
            ],
        )
    return 0 if all(account.balanced for account in accounts) else 3


async def dead(arguments: argparse.Namespace) -> int:
    """Print the dead letters of the cameras. Returns 1 if some cannot be read."""
    async with connect_async(arguments.redis) as client:
        names = await known_cameras(client, arguments.cameras)
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
        print_table(
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


def _balance(account: Ledger) -> str:
    return "exact" if account.balanced else "DOES NOT BALANCE"
