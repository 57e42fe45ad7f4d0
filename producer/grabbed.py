"""Retrieve the frame that an OpenCV capture has grabbed; shared by the sources on OpenCV."""

import numpy as np

from producer.opencv import cv2
from producer.picture import jpeg_header
from producer.source import Picture, UndecodableFrameError


def retrieve(capture: "cv2.VideoCapture | None", raw: bool, fault: str) -> Picture:
    """Return the picture, or if `raw` is set the camera's own JPEG.

    Raises UndecodableFrameError, with `fault` as its text if OpenCV returns no frame.
    """
    if raw and capture:
        jpeg = retrieve_raw(capture, fault)
        jpeg_header(jpeg)
        return jpeg
    ok, frame = capture.retrieve() if capture else (False, None)
    if not ok or frame is None:
        raise UndecodableFrameError(fault)
    return np.asarray(frame, np.uint8)


def retrieve_raw(capture: "cv2.VideoCapture", fault: str = "no frame") -> bytes:
    """Return the packet unchanged, from the start of the first JPEG in it.

    The bytes before the JPEG belong to the multipart format that carries it. A packet without a
    JPEG is returned whole. Raises UndecodableFrameError with `fault` if OpenCV returns no frame.
    """
    ok, frame = capture.retrieve()
    if not ok or frame is None:
        raise UndecodableFrameError(fault)
    packet = frame.tobytes()
    return packet[max(0, packet.find(b"\xff\xd8\xff")) :]
