"""What the command and its load agree on."""

from typing import Final

CAMERAS: Final = "capacity:cameras"
"""Key of the private server: the number of cameras that store frames."""

SKIPPED: Final = "capacity:skipped"
"""Key of the private server: frames that the load could not store in time, since its start."""


def camera_name(number: int) -> str:
    """Return the name of a generated camera."""
    return f"camera{number}"
