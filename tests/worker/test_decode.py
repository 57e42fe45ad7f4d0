"""Decoding what may be anything."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import samples
from worker.decode import MAX_PIXELS, UnusablePicture, decode, jpeg_size


def claiming(width: int, height: int) -> bytes:
    """A small JPEG whose frame header claims another size."""
    blob = bytearray(samples.jpeg())
    at = blob.index(b"\xff\xc0")
    blob[at + 5 : at + 9] = height.to_bytes(2) + width.to_bytes(2)
    return bytes(blob)


def test_a_jpeg_becomes_a_bgr_picture() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[:] = (200, 100, 50)
    decoded = decode(cv2.imencode(".jpg", image)[1].tobytes())
    assert decoded.shape == (40, 60, 3)
    assert decoded.dtype == np.uint8
    assert np.abs(decoded.astype(int) - (200, 100, 50)).max() <= 4


def test_a_grey_jpeg_becomes_three_channels() -> None:
    assert decode(cv2.imencode(".jpg", np.zeros((8, 9), np.uint8))[1].tobytes()).shape == (8, 9, 3)


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (640, 480)])
@pytest.mark.parametrize("options", [[], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]])
def test_the_size_is_read_from_the_header(size: tuple[int, int], options: list[int]) -> None:
    image = np.zeros((size[1], size[0], 3), np.uint8)
    assert jpeg_size(cv2.imencode(".jpg", image, options)[1].tobytes()) == size


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        (b"", "not a JPEG"),
        (b"hello", "not a JPEG"),
        (b"\xff\xd8", "no frame header"),
        (b"\xff\xd8\xff\xd9", "no frame header"),
        (b"\x89PNG\r\n\x1a\n", "not a JPEG"),
        (samples.jpeg()[:-20], "cut off"),
        (samples.jpeg()[:30], "no frame header"),
        (claiming(32_000, 32_000), "claims 32000x32000"),
        (claiming(0, 100), "claims 0x100"),
        (claiming(20_000, 10), "claims 20000x10"),
    ],
)
def test_what_is_no_whole_picture_of_a_sane_size_is_unusable(blob: bytes, reason: str) -> None:
    with pytest.raises(UnusablePicture, match=reason):
        decode(blob)


def test_the_limit_admits_an_8k_frame() -> None:
    assert MAX_PIXELS >= 7680 * 4320


@given(st.binary(max_size=300).map(lambda tail: b"\xff\xd8" + tail) | st.binary(max_size=50))
def test_arbitrary_bytes_are_unusable(blob: bytes) -> None:
    with pytest.raises(UnusablePicture):
        decode(blob)


@given(st.data())
def test_a_jpeg_with_a_byte_changed_decodes_or_is_unusable(data: st.DataObject) -> None:
    blob = bytearray(samples.jpeg())
    blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert decode(bytes(blob)).ndim == 3
    except UnusablePicture:
        return
