"""One reader of JPEG headers, for producer and worker."""

import contextlib
import time

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_streams.jpeg import (
    MAX_JPEG_BYTES,
    MAX_PIXELS,
    MAX_SCANS,
    InvalidJpegError,
    JpegHeader,
    read_header,
)
from tests import samples
from tests.peers.pictures import with_orientation

WHOLE = samples.jpeg(640, 480)


def claiming(width: int, height: int) -> bytes:
    """A small JPEG whose frame header claims another size."""
    blob = bytearray(samples.jpeg())
    at = blob.index(b"\xff\xc0")
    blob[at + 5 : at + 9] = height.to_bytes(2) + width.to_bytes(2)
    return bytes(blob)


def coded_as(frame_marker: int) -> bytes:
    """WHOLE, whose frame header says that it is coded in another way."""
    return WHOLE.replace(b"\xff\xc0", bytes((0xFF, frame_marker)), 1)


def with_scans(count: int, side: int = 32) -> bytes:
    """A progressive JPEG whose last scan is repeated until there are `count`."""
    picture = np.zeros((side, side), np.uint8)
    picture[:32, :32] = np.random.default_rng(1).integers(0, 256, (32, 32), np.uint8)
    blob = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    last, end = blob.rindex(b"\xff\xda"), blob.rindex(b"\xff\xd9")
    missing = count - blob.count(b"\xff\xda")
    return blob[:end] + blob[last:end] * missing + blob[end:]


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (640, 480), (1920, 1080)])
@pytest.mark.parametrize("options", [[], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]])
def test_the_size_is_read_from_the_header(size: tuple[int, int], options: list[int]) -> None:
    image = np.zeros((size[1], size[0], 3), np.uint8)
    blob = cv2.imencode(".jpg", image, options)[1].tobytes()
    assert read_header(blob) == JpegHeader(*size, exif=False)


def test_exif_is_noticed_because_it_may_turn_the_picture() -> None:
    assert read_header(with_orientation(samples.jpeg(64, 48), 6)) == JpegHeader(64, 48, exif=True)


@pytest.mark.parametrize(
    "padding", [b"", b"\0" * 500, b"\r\n", b"\xff", b"\xff" * 64, b"\r\n--frame\r\n"]
)
def test_padding_after_the_end_costs_no_frame(padding: bytes) -> None:
    assert read_header(WHOLE + padding)[:2] == (640, 480)


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        (b"", "not a JPEG"),
        (b"hello", "not a JPEG"),
        (b"\xff\xd8", "no frame header"),
        (b"\xff\xd8\xff\xd9", "no frame header"),
        (b"\x89PNG\r\n\x1a\n", "not a JPEG"),
        (b"\xff\xd8" + b"\xff\xe0\x00\x02" * 2000 + WHOLE[2:], "no frame header"),
        (WHOLE[:30], "no frame header"),
        (WHOLE[:-1], "cut off"),
        (WHOLE[:-2], "cut off"),
        (WHOLE[: len(WHOLE) * 3 // 4], "cut off"),
        (claiming(32_000, 32_000), "claims 32000x32000"),
        (claiming(0, 100), "claims 0x100"),
        (claiming(20_000, 10), "claims 20000x10"),
        (WHOLE + bytes(MAX_JPEG_BYTES), "bytes, the limit is"),
        (coded_as(0xC9), r"browsers do not show \(SOF9\)"),
        (coded_as(0xCA), r"browsers do not show \(SOF10\)"),
        (coded_as(0xC3), r"browsers do not show \(SOF3\)"),
        (with_scans(40, side=4096), "has 40 scans of 4096x4096 pixels, the limit"),
        (with_scans(MAX_SCANS + 1), "has 65 scans, the limit is 64"),
    ],
)
def test_a_jpeg_that_is_damaged_or_beyond_a_limit_is_refused(blob: bytes, reason: str) -> None:
    with pytest.raises(InvalidJpegError, match=reason):
        read_header(blob)


def test_the_limits_admit_an_8k_picture_and_the_scans_of_real_encoders() -> None:
    assert MAX_PIXELS >= 7680 * 4320
    assert read_header(with_scans(MAX_SCANS)).width == 32


def test_fifteen_megabytes_of_fill_bytes_cost_no_more_than_reading_them() -> None:
    filled = b"\xff\xd8" + b"\xff" * 15_000_000 + WHOLE[2:]
    began = time.thread_time()
    for _ in range(3):
        bytes(bytearray(filled)).translate(None, b"\xff")
    reading = time.thread_time() - began
    began = time.thread_time()
    assert read_header(filled)[:2] == (640, 480)
    assert time.thread_time() - began < 10 * reading


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_read_or_refused(noise: bytes, dressed: bool) -> None:
    content = b"\xff\xd8\xff\xe0" + noise + b"\xff\xd9" if dressed else noise
    with contextlib.suppress(InvalidJpegError):
        assert read_header(content).width > 0
