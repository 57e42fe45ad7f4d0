"""What a JPEG says of itself, without decoding it."""

from typing import Final, NamedTuple

from emotion_streams.jpeg import START, is_cut_off
from producer.opencv import MAX_PIXELS
from producer.source import UndecodableFrame

# Start-of-frame markers; C4, C8 and CC in their range mean something else.
_FRAME_MARKERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_EXIF_MARKER: Final = 0xE1


class JpegHeader(NamedTuple):
    """Size in pixels; whether an EXIF block is there, which may ask for a rotation."""

    width: int
    height: int
    exif: bool


def inspect(jpeg: bytes) -> JpegHeader:
    """Read the header (ITU T.81, annex B). Raises UndecodableFrame for what is no whole JPEG."""
    if not jpeg.startswith(START):
        raise UndecodableFrame("not a JPEG")
    if is_cut_off(jpeg):
        raise UndecodableFrame("the JPEG is cut off")
    at, exif = 2, False
    while at + 9 <= len(jpeg):
        if jpeg[at] != 0xFF:
            break
        marker = jpeg[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker in _FRAME_MARKERS:
            height = int.from_bytes(jpeg[at + 5 : at + 7])
            width = int.from_bytes(jpeg[at + 7 : at + 9])
            if not width or not height:
                break
            if width * height > MAX_PIXELS:
                raise UndecodableFrame(f"the JPEG claims {width} x {height} pixels")
            return JpegHeader(width, height, exif)
        exif = exif or marker == _EXIF_MARKER
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4])
    raise UndecodableFrame("the JPEG's header is damaged")
