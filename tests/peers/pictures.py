"""Pictures and videos made on the spot: frame n of a video has a brightness of its own."""

import zlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


def picture(width: int, height: int, index: int = 0) -> NDArray[np.uint8]:
    """Left half dark, right half as bright as `index` says, so that a turn shows."""
    pixels = np.full((height, width, 3), 20, np.uint8)
    pixels[:, width // 2 :] = 60 + index * 9 % 180
    return pixels


def jpeg(width: int, height: int, index: int = 0) -> bytes:
    ok, buffer = cv2.imencode(".jpg", picture(width, height, index))
    assert ok
    return buffer.tobytes()


def huge_png() -> bytes:
    """81 megapixels of black in 80 KB: more than the producer decodes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content).to_bytes(4)
        return len(content).to_bytes(4) + kind + content + check

    side = 9000
    header = side.to_bytes(4) * 2 + bytes((8, 0, 0, 0, 0))
    rows = zlib.compress(bytes((side + 1) * side))
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def write_video(
    path: Path, fourcc: str, size: tuple[int, int] = (64, 48), frames: int = 10, fps: float = 20
) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*fourcc), fps, size)
    assert writer.isOpened(), fourcc
    for index in range(frames):
        writer.write(picture(*size, index))
    writer.release()
    return path


def turn_mp4(path: Path) -> None:
    """Ask players to turn the video by 90 degrees clockwise: the matrix of the track's header
    (ISO/IEC 14496-12, 8.3.2) says so, as a phone held upright writes it."""
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") - 4 + 48
    one = 1 << 16
    values = (0, one, 0, -one, 0, 0, 0, 0, 1 << 30)
    content[matrix : matrix + 36] = b"".join(
        value.to_bytes(4, "big", signed=True) for value in values
    )
    path.write_bytes(content)


def with_orientation(content: bytes, orientation: int) -> bytes:
    """A JPEG with an EXIF block that asks for an orientation."""
    tiff = b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01"
    tiff += orientation.to_bytes(2, "big") + b"\x00\x00\x00\x00\x00\x00"
    block = b"Exif\x00\x00" + tiff
    return content[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + content[2:]
