"""Removal of passwords from the command line, which `ps` shows to every user of the machine."""

import json
import os
import sys
from typing import Final, NoReturn

from emotion_streams.redaction import redact_url

_DESCRIPTOR: Final = "EMOTION_COMMAND_LINE_FD"


def conceal() -> list[str]:
    """Return the arguments of this process. Call it before anything else.

    If a URL among them holds credentials, the process replaces itself by one whose command line
    shows `***` instead; a memory file passes on the original arguments. The credentials are visible
    while Python starts; with `${NAME}` or an environment variable they never are.
    """
    if descriptor := os.environ.pop(_DESCRIPTOR, None):
        with os.fdopen(int(descriptor)) as file:
            arguments: list[str] = json.load(file)
        return arguments
    shown = [redact_url(argument) for argument in sys.orig_argv]
    if shown != sys.orig_argv:
        memory = os.memfd_create("arguments", flags=0)
        with os.fdopen(os.dup(memory), "w") as file:
            json.dump(sys.argv[1:], file)
        os.lseek(memory, 0, os.SEEK_SET)
        _become(shown, {**os.environ, _DESCRIPTOR: str(memory)})
    return sys.argv[1:]


def _become(arguments: list[str], environment: dict[str, str]) -> NoReturn:
    os.execve(sys.executable, arguments, environment)  # noqa: S606 - itself, with no shell between
