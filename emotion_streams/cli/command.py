"""The entry point of `emotion-streams`: run the sub-command, and report its errors."""

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable

from emotion_streams import local_instance, process_commands
from emotion_streams.backoff import REDIS_ERRORS
from emotion_streams.cli.lookup import UnknownCameraError
from emotion_streams.cli.options import build_parser
from emotion_streams.printable import printable
from emotion_streams.process_commands import PROCESSES, CannotStartError
from emotion_streams.redaction import redact_url, short_message
from emotion_streams.redis_url import InvalidRedisUrlError


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
    arguments = build_parser().parse_args(argv)
    if arguments.redis is None:
        arguments.redis = local_instance.redis_url(_say)
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


def _say(text: str) -> None:
    print(f"emotion-streams: {text}", file=sys.stderr)
