"""What `emotion-streams run` starts: the cameras, and the command of each process."""

import argparse
import errno
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

DEFAULT_PORT: Final = 8080


class PortUnavailableError(RuntimeError):
    """The port for the live page cannot be used; the text says why."""


def cameras(source: str, named: Sequence[str]) -> dict[str, str]:
    """Return the sources by camera.

    They are `source`, named by the entry of `named` that has no source, and the entries
    `NAME=SOURCE`. Raises ValueError for a second name of `source`, and for two cameras of one name.
    """
    names = [entry for entry in named if "=" not in entry]
    others = [entry.split("=", 1) for entry in named if "=" in entry]
    if len(names) > 1:
        raise ValueError(f"{names[1]!r}: the source already has a name; use NAME=SOURCE")
    first = [[(names or [camera_name(source)])[0], source]]
    if others and not names and source == "demo":  # the default, beside cameras that were named
        first = []
    sources = {}
    for name, each in first + others:
        if name in sources:
            raise ValueError(f"{name!r}: two cameras have this name")
        sources[name] = each
    return sources


def commands(
    arguments: argparse.Namespace, sources: Mapping[str, str], port: int
) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Yield the commands to start, each with the variables to add to its environment."""
    worker = ["worker", "--metrics-port", "0"]
    for option in ("detector_model", "model"):
        if value := getattr(arguments, option):
            worker += [f"--{option.replace('_', '-')}", value]
    yield worker, {}
    for camera, source in sources.items():
        feed = ["producer", "--metrics-port", "0", "--camera", camera]
        feed += pace(source, arguments.fps)
        if arguments.loop:
            feed += ["--loop", "true"]
        yield feed, {"EMOTION_PRODUCER_SOURCE": source}
    page = ["gateway", "--port", str(port), "--metrics-port", "0"]
    if arguments.blur_faces:
        page += ["--blur-faces", "true"]
    yield page, {}
    if arguments.sinks:
        yield ["sinks", "--metrics-port", "0", "--config", arguments.sinks], {}


def pace(source: str, fps: str) -> list[str]:
    """Return the producer's options for pacing.

    Every frame of a file is analysed; a camera is limited to `fps` frames per second.
    """
    path = Path(source)
    return ["--policy", "every"] if path.is_file() or path.is_dir() else ["--fps", fps]


def choose_port(given: str | None) -> int:
    """Return the port that was given for the live page; else 8080, or any free one if it is in use.

    Raises PortUnavailableError if the given port cannot be used.
    """
    try:
        return _probe(int(given or DEFAULT_PORT))
    except OSError as error:
        if given is None:
            return _probe(0)
        in_use = error.errno == errno.EADDRINUSE
        reason = "is in use" if in_use else f"cannot be used ({error.strerror})"
        raise PortUnavailableError(f"port {given} {reason}: choose another with --port") from None


def _probe(port: int) -> int:
    """Return the number of this port of loopback; of any free one for 0. Raises OSError."""
    with socket.socket() as probe:
        # As the gateway does: connections of an instance that has ended do not hold its port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        number: int = probe.getsockname()[1]
        return number


def camera_name(source: str) -> str:
    """Return a camera name for a source: `demo`, `camera-0`, `lobby` for .../lobby.avi.

    It never contains a URL.
    """
    if "://" in source:
        return "camera"
    stem = "".join(c if c.isascii() and c.isalnum() else "-" for c in Path(source).stem).strip("-")
    return f"camera-{stem}" if stem.isdigit() else stem[:63] or "camera"
