"""The frame that an OpenCV capture has grabbed, as every source over OpenCV gives it."""

import numpy as np

from producer.opencv import cv2
from producer.picture import jpeg_header
from producer.source import Picture, UndecodableFrame


def retrieve(capture: "cv2.VideoCapture | None", raw: bool, fault: str) -> Picture:
    """The picture, or with `raw` the camera's own JPEG. Raises UndecodableFrame, with `fault` as
    its text where OpenCV gives nothing."""
    ok, frame = capture.retrieve() if capture else (False, None)
    if not ok or frame is None:
        raise UndecodableFrame(fault)
    if not raw:
        return np.asarray(frame, np.uint8)
    jpeg = frame.tobytes()
    jpeg_header(jpeg)
    return jpeg
