"""`emotion-streams completion`: the script by which a shell completes the other commands."""

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import Final

SHELLS: Final = ("bash", "zsh", "fish")


async def completion(
    build_parser: Callable[[Mapping[str, object]], argparse.ArgumentParser],
    arguments: argparse.Namespace,
) -> int:
    """Print the script for the shell. Returns 2 if shtab is not installed.

    `build_parser` makes the parser of all commands; its argument is how each shell completes names
    of files.
    """
    try:
        import shtab  # imported here, because only this command needs it
    except ImportError:
        print(
            "emotion-streams: completion needs shtab, not installed here: "
            "pip install 'emotion-streams[completion]'",
            file=sys.stderr,
        )
        return 2
    print(shtab.complete(build_parser(shtab.FILE), shell=arguments.shell))
    return 0
