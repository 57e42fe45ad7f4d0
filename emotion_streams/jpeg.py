"""The JPEG header reader and the limits on pictures, shared by all processes.

A producer rejects every picture that a worker would reject, so that no frame of a producer becomes
a dead letter because of its JPEG.
"""

import re
from typing import Final, NamedTuple

MAX_PIXELS: Final = 36_000_000
"""Maximum size in pixels; an 8K picture (33 megapixels) fits. A 631-byte JPEG that claims 32000 x
32000 pixels takes 17 s and 7 GB to decode."""

MAX_SIDE: Final = 16_384
"""Maximum length of a picture's side in pixels."""

MAX_JPEG_BYTES: Final = (16 << 20) - 4096
"""Maximum size in bytes: the JPEG must fit into a frame's message beside its other fields."""

MAX_SCANS: Final = 64
"""Maximum scans of a progressive JPEG; encoders write about 10. Each scan visits every pixel, so
1.3 MB with 50,000 scans take minutes to decode."""

MAX_SCANNED_PIXELS: Final = 600_000_000
"""Maximum of pixels times scans: a 4K picture may have MAX_SCANS scans, an 8K picture 18."""

_MAX_SEGMENTS: Final = 1024
"""Maximum segments before the frame header; an ICC profile takes up to 255, the rest a few."""

_START: Final = b"\xff\xd8"
_END: Final = b"\xff\xd9"
_SCAN: Final = b"\xff\xda"
_LONGEST_PADDING: Final = 1024

# ITU-T T.81, table B.1. C4, C8 and CC lie in the range of the frame headers but are not such.
_FRAME_MARKERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HUFFMAN_MARKERS: Final = frozenset((0xC0, 0xC1, 0xC2))
"""Baseline, extended and progressive: the types that browsers show. An arithmetic decoder reads
zeros without end after its data, so that few bytes cause much work. None of our decoders reads
lossless JPEGs."""
_BEFORE_NO_FRAME: Final = frozenset((0xD9, 0xDA))
_WITHOUT_LENGTH: Final = frozenset((*range(0xD0, 0xD8), 0x01))
_EXIF_MARKER: Final = 0xE1

# A run of fill bytes is skipped in C: a loop over 15 MB of them would hold the GIL for seconds.
_MARKER: Final = re.compile(rb"\xff+([^\xff])", re.DOTALL)


class InvalidJpegError(ValueError):
    """A JPEG that is not accepted; the text gives the reason."""


class JpegHeader(NamedTuple):
    """Size in pixels, and whether there is an EXIF block, which may request a rotation."""

    width: int
    height: int
    exif: bool


def read_header(jpeg: bytes) -> JpegHeader:
    """Read the header of a whole JPEG, without decoding it (ITU-T T.81, annex B).

    Raises InvalidJpegError if it is not a JPEG, is truncated (libjpeg would fill the rest with
    grey), uses arithmetic or lossless coding, or exceeds MAX_PIXELS, MAX_SIDE, MAX_JPEG_BYTES,
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
    # Cameras add padding after the end marker: zeros, fill bytes or line ends.
    if jpeg.rfind(_END, max(0, len(jpeg) - _LONGEST_PADDING)) < 0:
        raise InvalidJpegError("cut off: no end-of-image marker")
    # In coded data FF is followed by 00 or a restart marker, so this counts only scan markers.
    if (scans := jpeg.count(_SCAN, end)) > MAX_SCANS:
        raise InvalidJpegError(f"has {scans} scans, the limit is {MAX_SCANS}")
    if width * height * scans > MAX_SCANNED_PIXELS:
        raise InvalidJpegError(
            f"has {scans} scans of {width}x{height} pixels, the limit is "
            f"{MAX_SCANNED_PIXELS:,} pixels in all scans"
        )
    return header


def _find_frame_header(jpeg: bytes) -> tuple[JpegHeader, int]:
    """Return the frame header, and the offset of its end."""
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
