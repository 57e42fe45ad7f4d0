"""cv2.VideoCapture with a USB camera behind it, where no machine has one."""

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.peers.pictures import jpeg, picture


class FakeVideoCapture:
    """A camera that gives MJPG at the size that is asked for. `gives_mjpg` off: YUYV, of which
    OpenCV makes pixels. `plugged` off: as a device that is gone. No subclass: cv2's types cannot
    be derived from without harm."""

    def __init__(self, *, gives_mjpg: bool = True, plugged: bool = True) -> None:
        self.asked: list[int] = []
        self.plugged = plugged
        self.damaged = False
        self._values: dict[int, float] = {}
        self._gives_mjpg = gives_mjpg
        self._index = 0

    def isOpened(self) -> bool:  # noqa: N802 - cv2's name
        return self.plugged

    def set(self, propId: int, value: float) -> bool:  # noqa: N803
        self.asked.append(propId)
        if propId == cv2.CAP_PROP_FOURCC and not self._gives_mjpg:
            value = cv2.VideoWriter.fourcc(*"YUYV")
        self._values[propId] = value
        return True

    def get(self, propId: int) -> float:  # noqa: N803
        return self._values.get(propId, 0)

    def grab(self) -> bool:
        self._index += 1
        return self.plugged

    def retrieve(self) -> tuple[bool, NDArray[np.uint8]]:
        width, height = (
            int(self.get(cv2.CAP_PROP_FRAME_WIDTH)), int(self.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )  # fmt: skip
        if not self._gives_mjpg or self.get(cv2.CAP_PROP_CONVERT_RGB):
            return True, picture(width, height, self._index)
        content = jpeg(width, height, self._index)
        return True, np.frombuffer(content[: len(content) // (1 + self.damaged)], np.uint8)

    def release(self) -> None:
        pass

    def as_cv2(self) -> cv2.VideoCapture:
        """Itself, as the type that its user expects."""
        return cast("cv2.VideoCapture", self)
