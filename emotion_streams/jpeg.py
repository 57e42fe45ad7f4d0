"""What a JPEG is to every process of ours: one reader of its header, one set of limits.

A producer refuses what a worker would refuse: nothing that a producer sent becomes a dead letter.
"""

import re
from typing import Final, NamedTuple

MAX_PIXELS: Final = 36_000_000
"""An 8K picture (33 megapixels). A 631-byte JPEG that claims 32000 x 32000 pixels takes 17 s and
7 GB to decode."""

MAX_SIDE: Final = 16_384
"""Longest side of a picture in pixels."""

MAX_JPEG_BYTES: Final = (16 << 20) - 4096
"""Size of a JPEG that still fits into a frame's message beside its other fields."""

MAX_SCANS: Final = 64
"""Scans of a progressive JPEG; encoders write about 10. Each scan walks over every pixel, so that
1.3 MB of 50,000 scans take minutes to decode."""

MAX_SCANNED_PIXELS: Final = 600_000_000
"""Pixels times scans: a picture of 4K may have all its scans, one of 8K sixteen."""

_MAX_SEGMENTS: Final = 1024
"""Segments before the frame header; an ICC profile takes up to 255, everything else a handful."""

_START: Final = b"\xff\xd8"
_END: Final = b"\xff\xd9"
_SCAN: Final = b"\xff\xda"
_LONGEST_PADDING: Final = 1024

# ITU-T T.81, table B.1. C4, C8 and CC lie in the range of the frame headers and mean other things.
_FRAME_MARKERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HUFFMAN_MARKERS: Final = frozenset((0xC0, 0xC1, 0xC2))
"""Baseline, extended and progressive: what browsers show. An arithmetic coder reads zeros for ever
behind the end of its data, so that few bytes are much work; lossless JPEGs no decoder of ours
reads."""
_BEFORE_NO_FRAME: Final = frozenset((0xD9, 0xDA))
_WITHOUT_LENGTH: Final = frozenset((*range(0xD0, 0xD8), 0x01))
_EXIF_MARKER: Final = 0xE1

# A run of fill bytes is skipped in C: a loop over 15 MB of them would hold the GIL for seconds.
_MARKER: Final = re.compile(rb"\xff+([^\xff])", re.DOTALL)


class InvalidJpegError(ValueError):
    """Not a JPEG that is accepted: why."""


class JpegHeader(NamedTuple):
    """Size in pixels; whether there is an EXIF block, which may ask for a rotation."""

    width: int
    height: int
    exif: bool


def read_header(jpeg: bytes) -> JpegHeader:
    """Read the header of a whole JPEG, without decoding it (ITU-T T.81, annex B).

    Raises InvalidJpegError if it is not a JPEG, is cut off (libjpeg would fill the rest with grey),
    is coded arithmetically or without loss, or exceeds MAX_PIXELS, MAX_SIDE, MAX_JPEG_BYTES,
    MAX_SCANS or MAX_SCANNED_PIXELS.
    """
    if not jpeg.startswith(_START):
        raise InvalidJpegError("not a JPEG")
    if len(jpeg) > MAX_JPEG_BYTES:
        raise InvalidJpegError(f"has {len(jpeg)} bytes, the limit is {MAX_JPEG_BYTES}")
    header, end = _find_frame_header(jpeg)
    width, height = header.width, header.height
    if not width or not height:
        raise InvalidJpegError(f"claims {width}x{height} pixels")
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise InvalidJpegError(
            f"claims {width}x{height} pixels, the limit is {MAX_PIXELS:,} and {MAX_SIDE:,} a side"
        )
    # Cameras pad what follows the end, with zeros, fill bytes or line ends.
    if jpeg.rfind(_END, max(0, len(jpeg) - _LONGEST_PADDING)) < 0:
        raise InvalidJpegError("cut off: no end-of-image marker")
    # Behind FF in coded data there is 00 or a restart marker, so this counts nothing else.
    if (scans := jpeg.count(_SCAN, end)) > MAX_SCANS:
        raise InvalidJpegError(f"has {scans} scans, the limit is {MAX_SCANS}")
    if width * height * scans > MAX_SCANNED_PIXELS:
        raise InvalidJpegError(
            f"has {scans} scans of {width}x{height} pixels, the limit is "
            f"{MAX_SCANNED_PIXELS:,} pixels in all scans"
        )
    return header


def _find_frame_header(jpeg: bytes) -> tuple[JpegHeader, int]:
    """The frame header, and the offset of its end."""
    at, exif = len(_START), False
    for _ in range(_MAX_SEGMENTS):
        if (found := _MARKER.match(jpeg, at)) is None:
            break
        marker, at = found[1][0], found.end()
        if marker in _FRAME_MARKERS and at + 7 <= len(jpeg):
            if marker not in _HUFFMAN_MARKERS:
                raise InvalidJpegError(
                    f"is a JPEG of a kind that browsers do not show (SOF{marker - 0xC0}); "
                    "send baseline or progressive JPEGs"
                )
            height = int.from_bytes(jpeg[at + 3 : at + 5])
            width = int.from_bytes(jpeg[at + 5 : at + 7])
            return JpegHeader(width, height, exif), at + 7
        if marker in _BEFORE_NO_FRAME:
            break
        if marker not in _WITHOUT_LENGTH:
            exif = exif or marker == _EXIF_MARKER
            at += int.from_bytes(jpeg[at : at + 2])
    raise InvalidJpegError("not a JPEG: no frame header")
