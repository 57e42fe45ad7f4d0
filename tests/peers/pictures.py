"""Pictures and videos made on the spot: frame n of a video has a brightness of its own."""

import struct
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


def interlaced_avi(path: Path, pixels: NDArray[np.uint8], frames: int = 10) -> Path:
    """Motion JPEG of two fields a packet, each a JPEG of every second line, as of capture cards
    (OpenDML AVI, "Motion JPEG DIB")."""

    def encoded(field: NDArray[np.uint8]) -> bytes:
        return bytes(cv2.imencode(".jpg", field)[1])

    def chunk(name: bytes, content: bytes) -> bytes:
        return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)

    height, width = pixels.shape[:2]
    packet = encoded(pixels[0::2]) + encoded(pixels[1::2])
    main = struct.pack("<14I", 40_000, 0, 0, 0, frames, 0, 1, 0, width, height, 0, 0, 0, 0)
    stream = b"vidsMJPG" + struct.pack("<IHH8I", 0, 0, 0, 0, 1, 25, 0, frames, 0, 0, 0)
    stream += struct.pack("<4H", 0, 0, width, height)
    form = struct.pack(
        "<IiiHH4s5I", 40, width, height, 1, 24, b"MJPG", width * height * 3, 0, 0, 0, 0
    )
    lists = chunk(b"LIST", b"strl" + chunk(b"strh", stream) + chunk(b"strf", form))
    header = chunk(b"LIST", b"hdrl" + chunk(b"avih", main) + lists)
    movie = chunk(b"LIST", b"movi" + chunk(b"00dc", packet) * frames)
    path.write_bytes(chunk(b"RIFF", b"AVI " + header + movie))
    return path


def turned_tiff(path: Path, pixels: NDArray[np.uint8]) -> Path:
    """A TIFF whose orientation asks for a quarter turn (tag 274 is 6)."""
    content = bytearray(cv2.imencode(".tiff", pixels)[1].tobytes())
    (at,) = struct.unpack("<I", content[4:8])
    (count,) = struct.unpack("<H", content[at : at + 2])
    tags = [bytes(content[at + 2 + 12 * n : at + 14 + 12 * n]) for n in range(count)]
    tags = [tag for tag in tags if tag[:2] != struct.pack("<H", 274)]
    tags = sorted([*tags, struct.pack("<HHIHH", 274, 3, 1, 6, 0)], key=lambda tag: tag[:2][::-1])
    content[4:8] = struct.pack("<I", len(content))
    content += struct.pack("<H", len(tags)) + b"".join(tags) + bytes(4)
    path.write_bytes(content)
    return path
