"""The kind of source that a camera's `source` names."""

import os
import re
from enum import StrEnum
from typing import Final

from emotion_streams.redaction import redact_url

_NETWORK_SCHEMES: Final = frozenset({"rtsp", "rtsps", "http", "https"})


class SourceKind(StrEnum):
    """Kind of source that a camera's `source` names."""

    DEMO = "demo"
    V4L2 = "v4l2"
    NETWORK = "network"
    FOLDER = "folder"
    FILE = "file"


def source_kind(source: str) -> SourceKind:
    """Return the kind of a `source`.

    A `source` is "demo", a USB index, a path in /dev, a URL, a folder, or else a file. Raises
    ValueError for a URL with another scheme, and for a URL that is ambiguous.
    """
    scheme, separator, rest = source.partition("://")
    if separator:
        if scheme.lower() not in _NETWORK_SCHEMES:
            raise ValueError(
                f"{redact_url(source)}: supported are {', '.join(sorted(_NETWORK_SCHEMES))} URLs"
            )
        authority = re.split("[/?#]", rest, maxsplit=1)[0]
        # Otherwise FFmpeg takes a part of the password for the host name and looks it up in DNS.
        if authority.count("@") > 1 or "@" in rest.removeprefix(authority):
            raise ValueError(
                "write / as %2F, ? as %3F, # as %23 and @ as %40 in a password and after the host"
            )
        return SourceKind.NETWORK
    if source == "demo":
        return SourceKind.DEMO
    if source.isdecimal() or source.startswith("/dev/"):
        return SourceKind.V4L2
    # Unlike Path.is_dir, os.path.isdir raises no error for a path that cannot be one.
    return SourceKind.FOLDER if os.path.isdir(source) else SourceKind.FILE  # noqa: PTH112
