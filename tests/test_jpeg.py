"""Producer and worker agree on what a whole JPEG is."""

import pytest

from producer.jpeg import inspect
from producer.source import UndecodableFrame
from tests import samples
from worker.decode import UnusablePicture, decode

WHOLE = samples.jpeg(640, 480)


@pytest.mark.parametrize(
    "padding", [b"", b"\0" * 500, b"\r\n", b"\xff", b"\xff" * 64, b"\r\n--frame\r\n"]
)
def test_what_a_camera_pads_its_pictures_with_costs_no_frame(padding: bytes) -> None:
    padded = WHOLE + padding
    assert inspect(padded)[:2] == (640, 480)
    assert decode(padded).shape == (480, 640, 3)


@pytest.mark.parametrize("kept", [len(WHOLE) - 1, len(WHOLE) - 2, len(WHOLE) * 3 // 4])
def test_a_picture_that_is_cut_off_is_refused_by_both(kept: int) -> None:
    with pytest.raises(UndecodableFrame, match="cut off"):
        inspect(WHOLE[:kept])
    with pytest.raises(UnusablePicture, match="cut off"):
        decode(WHOLE[:kept])
