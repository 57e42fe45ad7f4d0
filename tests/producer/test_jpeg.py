"""What the producer reads from a JPEG without decoding it."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.jpeg import JpegHeader, inspect
from producer.source import UndecodableFrame
from tests.peers.pictures import jpeg, with_orientation


@pytest.mark.parametrize(("width", "height"), [(64, 48), (1, 1), (321, 243), (1920, 1080)])
def test_the_size_stands_in_the_header(width: int, height: int) -> None:
    assert inspect(jpeg(width, height)) == JpegHeader(width, height, exif=False)


def test_exif_is_noticed_for_it_may_turn_the_picture() -> None:
    assert inspect(with_orientation(jpeg(64, 48), 6)) == JpegHeader(64, 48, exif=True)


def test_padding_after_the_end_is_what_cameras_do() -> None:
    assert inspect(jpeg(64, 48) + bytes(500)).width == 64


def test_a_jpeg_that_is_cut_off_is_refused() -> None:
    whole = jpeg(640, 480)
    with pytest.raises(UndecodableFrame, match="cut off"):
        inspect(whole[: len(whole) // 2])


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_read_or_refused(noise: bytes, dressed: bool) -> None:
    content = b"\xff\xd8\xff\xe0" + noise + b"\xff\xd9" if dressed else noise
    with contextlib.suppress(UndecodableFrame):
        assert inspect(content).width > 0


def test_a_claim_beyond_all_cameras_is_refused_before_anything_is_decoded() -> None:
    content = bytearray(jpeg(64, 48))
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = (32000).to_bytes(2, "big") * 2
    with pytest.raises(UndecodableFrame, match="32000 x 32000"):
        inspect(bytes(content))
