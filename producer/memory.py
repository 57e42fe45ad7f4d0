"""How much memory the process of a camera may take."""

import resource
from pathlib import Path
from typing import Final

_BYTES: Final = 1 << 30
"""More than any stream of a camera takes to decode; a hostile one must not take the machine's."""


def limit_memory() -> None:
    """Limit the address space to what is mapped now, libraries for the most part, plus 1 GiB."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + _BYTES,) * 2)
