"""The formats that a video file may have: those that hold their frames themselves."""

import contextlib
from pathlib import Path
from typing import Final

_FORMATS: Final = (
    # Containers. FFmpeg does not follow the references to other files that MOV and MXF allow.
    "mov,mp4,matroska,webm,avi,mpegts,mpegtsraw,mpeg,asf,flv,ogg,mxf,gxf,nut,dv,wtv,rm,swf,dhav",
    # Video without a container.
    "mpegvideo,m4v,h261,h263,h264,hevc,vvc,av1,obu,ivf,vc1,dirac,yuv4mpegpipe",
    # Pictures, one or many.
    "mjpeg,mpjpeg,smjpeg,gif,apng,image2,jpeg_pipe,png_pipe,bmp_pipe,webp_pipe,tiff_pipe",
)
OPTIONS: Final = {
    "protocol_whitelist": "file",  # no other hosts
    # HLS, DASH, IMF, SDP and lists for concatenation name other files, and FFmpeg would read them.
    "format_whitelist": ",".join(_FORMATS),
    # The format image2 would take a name like a%03d.jpg as a pattern for the names of other files.
    "pattern_type": "none",
}
"""FFmpeg's options for a file that others may have made: no other file or host is read for it."""

_HEAD: Final = 4096
_BEGINS_PLAYLIST: Final = (b"#ext", b"ffconcat", b"[playlist]", b"v=0")
_IN_XML: Final = (b"<mpd", b"<compositionplaylist", b"<assetmap", b"<playlist", b"<smil", b"<asx")


def reason_of_refusal(path: Path) -> str:
    """Return why FFmpeg, with OPTIONS, found no video in the file."""
    head = b""
    with contextlib.suppress(OSError), path.open("rb") as file:
        head = file.read(_HEAD).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if head.startswith(_BEGINS_PLAYLIST) or (
        head.startswith(b"<") and any(name in head for name in _IN_XML)
    ):
        return "a playlist, which is not followed to other files: use the recordings themselves"
    return "not a video that FFmpeg can read, or one in a rare format"
