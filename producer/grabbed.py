"""The frame that an OpenCV capture has grabbed, as every source over OpenCV gives it."""

import numpy as np

from producer.opencv import cv2
from producer.picture import jpeg_header
from producer.source import Picture, UndecodableFrameError


def retrieve(capture: "cv2.VideoCapture | None", raw: bool, fault: str) -> Picture:
    """The picture, or with `raw` the camera's own JPEG. Raises UndecodableFrameError, with `fault`
    as its text where OpenCV gives nothing."""
    if raw and capture:
        jpeg = retrieve_raw(capture, fault)
        jpeg_header(jpeg)
        return jpeg
    ok, frame = capture.retrieve() if capture else (False, None)
    if not ok or frame is None:
        raise UndecodableFrameError(fault)
    return np.asarray(frame, np.uint8)


def retrieve_raw(capture: "cv2.VideoCapture", fault: str = "no frame") -> bytes:
    """The packet as it came, from the first JPEG in it on: what stands before it is of the parts
    that carry it. Raises UndecodableFrameError with `fault` where there is none."""
    ok, frame = capture.retrieve()
    if not ok or frame is None:
        raise UndecodableFrameError(fault)
    packet = frame.tobytes()
    return packet[max(0, packet.find(b"\xff\xd8\xff")) :]
