"""Decoding what may be anything."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import samples
from worker.inference.decode import UnusablePictureError, decode


def test_a_jpeg_becomes_a_bgr_picture() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[:] = (200, 100, 50)
    decoded = decode(cv2.imencode(".jpg", image)[1].tobytes())
    assert decoded.shape == (40, 60, 3)
    assert decoded.dtype == np.uint8
    assert np.abs(decoded.astype(int) - (200, 100, 50)).max() <= 4


def test_a_grey_jpeg_becomes_three_channels() -> None:
    assert decode(cv2.imencode(".jpg", np.zeros((8, 9), np.uint8))[1].tobytes()).shape == (8, 9, 3)


def test_a_picture_that_the_header_reader_refuses_is_unusable() -> None:
    with pytest.raises(UnusablePictureError, match="cut off"):
        decode(samples.jpeg()[:-20])


@given(st.binary(max_size=300).map(lambda tail: b"\xff\xd8" + tail) | st.binary(max_size=50))
def test_arbitrary_bytes_are_unusable(blob: bytes) -> None:
    with pytest.raises(UnusablePictureError):
        decode(blob)


@given(st.data())
def test_a_jpeg_with_a_byte_changed_decodes_or_is_unusable(data: st.DataObject) -> None:
    blob = bytearray(samples.jpeg())
    blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert decode(bytes(blob)).ndim == 3
    except UnusablePictureError:
        return
