"""Containment of native code, such as FFmpeg and OpenCV: its messages and its memory."""

import contextlib
import ctypes
import logging
import os
import re
import resource
import sys
import threading
from collections import deque
from pathlib import Path
from typing import Final

from emotion_streams.redaction import redact

_log = logging.getLogger(__name__)

_MARKER: Final = "\x1e all was read \x1e"
_CATCH_UP_S: Final = 0.5

_M_ARENA_MAX: Final = -8
_MEMORY_BYTES: Final = 512 << 20
"""More memory than a camera's stream needs: 4K with 16 reference frames takes 0.4 GB. A hostile
stream must exhaust neither the machine nor the container, whose other cameras would end with it."""

_REASONS: Final = (
    (re.compile(r"Failed to resolve hostname ([^:\s]+)"), r"the name \1 cannot be resolved"),
    (re.compile(r"Connection refused"), "connection refused"),
    (re.compile(r"No route to host|Network is unreachable"), "the host cannot be reached"),
    (re.compile(r"\b401\b.*Unauthor"), "401: user or password is missing or wrong"),
    (re.compile(r"\b403\b.*Forbid"), "403: access denied for this user"),
    (re.compile(r"\b404\b.*Not Found", re.IGNORECASE), "404: no such stream"),
    (re.compile(r"\b([45]\d\d) \(?([A-Z][A-Za-z ]+)"), r"the server answered \1 \2"),
    (
        re.compile(
            r"certificate verify failed|unable to get local issuer|self.signed", re.IGNORECASE
        ),
        "certificate not trusted: install its authority, or set tls_verify: false",
    ),
    (
        re.compile(r"not on whitelist|[Ff]ormat not on whitelist"),
        "not a camera stream, for example a playlist",
    ),
    (re.compile(r"Stream timeout triggered"), "timed out: no data within the time limit"),
    (re.compile(r"Connection timed out"), "timed out: no response to the connection"),
)


class NativeStderr:
    """Redirects the file descriptors 1 and 2 of this process to a pipe, and reads it.

    Python's `sys.stdout` and `sys.stderr` keep the original descriptors. FFmpeg and OpenCV report
    their reasons only there, sometimes with the URL and its password. The lines are redacted and
    logged at level debug, and `reason()` finds the line that explains the failure.
    """

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=50)
        self._lock = threading.Lock()
        self._marker_seen = threading.Event()
        self._taken_over = False

    def take_over(self) -> None:
        """Redirect the descriptors. All later output to them is read here."""
        sys.stdout = os.fdopen(os.dup(1), "w")
        sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
        read_end, write_end = os.pipe()
        os.dup2(write_end, 2)
        # OpenCV writes some messages to standard output.
        os.dup2(write_end, 1)
        os.close(write_end)
        self._taken_over = True
        threading.Thread(target=self._read, args=(read_end,), daemon=True).start()

    def clear(self) -> None:
        """Discard the lines so far."""
        self._catch_up()
        with self._lock:
            self._lines.clear()

    def reason(self) -> str | None:
        """Return the most specific known reason since `clear`, reworded; None if there is none."""
        self._catch_up()
        with self._lock:
            lines = list(self._lines)
        for pattern, reason in _REASONS:
            for line in lines:
                if match := pattern.search(line):
                    return match.expand(reason)
        return None

    def _catch_up(self) -> None:
        """Wait until all output up to now has been read, for _CATCH_UP_S at most."""
        if self._taken_over:
            self._marker_seen.clear()
            # OpenCV's output may still be in the C library's buffer of standard output.
            ctypes.CDLL(None).fflush(None)
            os.write(2, _MARKER.encode() + b"\n")
            self._marker_seen.wait(_CATCH_UP_S)

    def _read(self, descriptor: int) -> None:
        with os.fdopen(descriptor, errors="replace") as stream:
            for line in stream:
                if line.rstrip("\n").endswith(_MARKER):
                    self._marker_seen.set()
                    continue
                text = redact(line.strip())
                with self._lock:
                    self._lines.append(text)
                _log.debug("native: %s", text)


def limit_memory() -> None:
    """Limit the address space to what is mapped now, mostly libraries, plus _MEMORY_BYTES."""
    with contextlib.suppress(AttributeError):  # other C libraries than glibc have no arenas
        # For each thread glibc reserves an arena of 64 MB and more that nothing may ever use.
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + _MEMORY_BYTES,) * 2)
