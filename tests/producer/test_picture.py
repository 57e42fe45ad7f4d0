"""From what the source gave to the JPEG that is sent."""

import numpy as np
import pytest

from emotion_streams.jpeg import read_header
from producer.picture import FrameTransform, decode, encode
from producer.source import Pixels, UndecodableFrameError
from tests.peers.pictures import jpeg, picture, with_orientation


def shaped(content: "Pixels | bytes", **options: object) -> Pixels:
    shaper = FrameTransform(**{"width": 640, "rotate": 0, "roi": None, **options})  # type: ignore[arg-type]
    result = shaper(content)
    return decode(result) if isinstance(result, bytes) else result


def test_camera_jpeg_passes_through_byte_for_byte() -> None:
    content = jpeg(640, 480)
    result = FrameTransform(640, 0, None)(content)
    assert result == content
    assert encode(result, 10) == (content, 640, 480)


def test_jpeg_wider_than_the_limit_is_scaled_down() -> None:
    assert shaped(jpeg(1920, 1080)).shape == (360, 640, 3)
    assert shaped(jpeg(641, 480)).shape == (479, 640, 3)


def test_small_picture_is_not_scaled_up() -> None:
    assert shaped(picture(321, 243)).shape == (243, 321, 3)


@pytest.mark.parametrize(
    ("rotate", "shape", "bright"),
    [
        (0, (48, 64), np.s_[:, 40:]),
        (90, (64, 48), np.s_[40:, :]),
        (180, (48, 64), np.s_[:, :24]),
        (270, (64, 48), np.s_[:24, :]),
    ],
)
@pytest.mark.parametrize("as_jpeg", [True, False])
def test_picture_is_rotated_clockwise(
    rotate: int, shape: tuple[int, int], bright: tuple[slice, slice], as_jpeg: bool
) -> None:
    content = jpeg(64, 48, 10) if as_jpeg else picture(64, 48, 10)
    result = shaped(content, rotate=rotate)
    assert result.shape[:2] == shape
    assert result[bright].min() > 100
    assert result.min() < 40


def test_exif_orientation_is_applied_and_removed() -> None:
    result = FrameTransform(640, 0, None)(with_orientation(jpeg(64, 48), 6))
    encoded = encode(result, 85)
    assert (encoded.width, encoded.height) == (48, 64)
    assert decode(encoded.jpeg).shape[:2] == (64, 48)
    assert not read_header(encoded.jpeg).exif


def test_region_of_interest_is_cropped_after_rotation() -> None:
    assert shaped(picture(64, 48, 10), roi=(0.5, 0, 0.5, 1)).min() > 100
    assert shaped(picture(64, 48), roi=(0.25, 0.5, 0.5, 0.25)).shape == (12, 32, 3)
    assert shaped(picture(64, 48, 10), rotate=90, roi=(0, 0.5, 1, 0.5)).min() > 100


def test_smallest_region_is_at_least_one_pixel() -> None:
    assert shaped(picture(64, 48), roi=(0.999, 0.999, 0.001, 0.001)).shape == (1, 1, 3)


def test_data_that_is_not_a_jpeg_is_refused() -> None:
    with pytest.raises(UndecodableFrameError):
        FrameTransform(640, 0, None)(b"no picture")
