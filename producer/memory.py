"""Memory limit of a camera's process."""

import resource
from pathlib import Path
from typing import Final

_BYTES: Final = 1 << 30
"""More memory than any camera's stream needs. A hostile stream must not exhaust the machine."""


def limit_memory() -> None:
    """Limit the address space to what is mapped now, libraries for the most part, plus 1 GiB."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + _BYTES,) * 2)
