"""USB cameras and other Video4Linux devices."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from producer.opencv import cv2
from producer.picture import retrieve_frame
from producer.source import Format, Picture, SourceUnavailableError

_MJPG: Final = cv2.VideoWriter.fourcc(*"MJPG")


class V4l2Source:
    """A device, named by its path.

    Prefer a path in /dev/v4l/by-id, which stays the same when the camera is replugged.

    The device is asked for MJPG at the given size and rate, because USB 2 carries at most 640 x 480
    uncompressed. A camera uses the nearest size and rate that it supports. `connect` creates the
    capture; tests without a device replace the default, which is that of cv2.
    """

    live = True

    def __init__(
        self,
        device: str,
        size: tuple[int, int],
        fps: float,
        read_timeout_s: float,
        connect: Callable[[str, int], cv2.VideoCapture] = cv2.VideoCapture,
    ) -> None:
        self._device = device
        self._size = size
        self._fps = fps
        self._read_timeout_s = read_timeout_s
        self._connect = connect
        self._capture: cv2.VideoCapture | None = None
        self._raw = False

    def open(self) -> Format:
        """Open the device.

        Raises SourceUnavailableError. If the device does not exist, its text lists the devices that
        are present.
        """
        self.close()
        # Otherwise select() in OpenCV waits for ten seconds. It accepts whole seconds only.
        os.environ["OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"] = str(max(1, round(self._read_timeout_s)))
        capture = self._connect(self._device, cv2.CAP_V4L2)
        if not capture.isOpened():
            capture.release()
            raise SourceUnavailableError(self._why_not())
        width, height = self._size
        # The order matters: the format determines the sizes, and the size determines the rates.
        capture.set(cv2.CAP_PROP_FOURCC, _MJPG)
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        capture.set(cv2.CAP_PROP_FPS, self._fps)
        # Old pictures have no use. A driver that needs more buffers uses its own minimum.
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        codec = int(capture.get(cv2.CAP_PROP_FOURCC))
        self._raw = codec == _MJPG and bool(capture.set(cv2.CAP_PROP_CONVERT_RGB, 0))
        self._capture = capture
        return Format(
            width=int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            height=int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
            fps=capture.get(cv2.CAP_PROP_FPS),
            codec=codec.to_bytes(4, "little", signed=True).decode("ascii", "replace").lower(),
        )

    def grab(self) -> None:
        """Wait for the next frame. Raises SourceUnavailableError.

        Return None, because the source reports no timestamps.
        """
        if self._capture is None or not self._capture.grab():
            unplugged = "" if Path(self._device).exists() else ": unplugged"
            raise SourceUnavailableError(f"{self._device} delivers no frames{unplugged}")

    def retrieve(self) -> Picture:
        """Return the grabbed frame. Raises UndecodableFrameError."""
        return retrieve_frame(self._capture, self._raw, "the driver returned a damaged frame")

    def close(self) -> None:
        """Release the device."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _why_not(self) -> str:
        path = Path(self._device)
        if path.exists():
            try:
                path.open("rb").close()
            except OSError as error:
                return f"{path}: {error.strerror} (is the user in the group video?)"
            return f"{path} is not a camera, or is in use"
        present = ", ".join(str(found) for found in sorted(Path("/dev").glob("video*")))
        return f"{path}: no such device (present: {present or 'none'})"
