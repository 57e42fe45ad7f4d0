"""USB cameras: OpenCV's V4L2 backend with a made-up camera, for want of a real one."""

import cv2
import pytest

from producer.source import SourceUnavailableError, UndecodableFrameError
from producer.sources.v4l2 import V4l2Source
from tests.peers.video_capture import FakeVideoCapture


def source(camera: FakeVideoCapture) -> V4l2Source:
    return V4l2Source("/dev/video9", (320, 240), 20, 1, lambda *_: camera.as_cv2())


def test_format_size_and_rate_are_requested_in_the_order_that_drivers_need() -> None:
    camera = FakeVideoCapture()
    opened = source(camera).open()
    assert camera.asked[:4] == [
        cv2.CAP_PROP_FOURCC,
        cv2.CAP_PROP_FRAME_WIDTH,
        cv2.CAP_PROP_FRAME_HEIGHT,
        cv2.CAP_PROP_FPS,
    ]
    assert (opened.width, opened.height, opened.fps, opened.codec) == (320, 240, 20, "mjpg")


def test_camera_jpeg_is_passed_through() -> None:
    usb = source(FakeVideoCapture())
    usb.open()
    usb.grab()
    picture = usb.retrieve()
    assert isinstance(picture, bytes)
    assert picture.startswith(b"\xff\xd8")


def test_camera_without_mjpg_delivers_pixels() -> None:
    usb = source(FakeVideoCapture(gives_mjpg=False))
    assert usb.open().codec == "yuyv"
    usb.grab()
    picture = usb.retrieve()
    assert not isinstance(picture, bytes)
    assert picture.shape == (240, 320, 3)


def test_damaged_frame_affects_no_other_frame() -> None:
    camera = FakeVideoCapture()
    usb = source(camera)
    usb.open()
    camera.damaged = True
    usb.grab()
    with pytest.raises(UndecodableFrameError):
        usb.retrieve()
    camera.damaged = False
    usb.grab()
    assert usb.retrieve()


def test_unplugged_camera_is_reported_and_reopened() -> None:
    camera = FakeVideoCapture()
    usb = source(camera)
    usb.open()
    usb.grab()
    camera.plugged = False
    with pytest.raises(SourceUnavailableError, match="/dev/video9 delivers no frames: unplugged"):
        usb.grab()
    usb.close()
    with pytest.raises(SourceUnavailableError, match="no such device"):
        usb.open()
    camera.plugged = True
    usb.open()
    usb.grab()
    assert usb.retrieve()
