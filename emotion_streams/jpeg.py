"""What counts as a whole JPEG: one rule for who passes pictures on and who decodes them."""

from typing import Final

START: Final = b"\xff\xd8"

_END: Final = b"\xff\xd9"
_LONGEST_PADDING: Final = 1024


def is_cut_off(jpeg: bytes) -> bool:
    """Whether the end-of-image marker is missing. Cameras pad what follows it, with zeros, fill
    bytes or line ends, so the marker stands near the end rather than at it."""
    return jpeg.rfind(_END, max(0, len(jpeg) - _LONGEST_PADDING)) < 0
