"""OpenCV's FFmpeg backend, which the sources for files, RTSP and HTTP share."""

from collections.abc import Mapping

import numpy as np

from emotion_streams.jpeg import MAX_PIXELS, MAX_SIDE
from producer.opencv import cv2
from producer.picture import decode, jpeg_header, retrieve_frame, retrieve_packet
from producer.source import Format, Picture, Pixels, UndecodableFrameError
from producer.sources import video_capture
from producer.sources.video_capture import aspect, connect


class FfmpegReader:
    """A cv2.VideoCapture on FFmpeg, with square pixels.

    A frame of an MJPEG stream is the camera's own JPEG if that JPEG is the whole picture. Every
    other frame is pixels.
    """

    def __init__(self) -> None:
        self._capture: cv2.VideoCapture | None = None
        self._raw = False
        self._size = (0, 0)
        self._has_first = False

    def open(
        self,
        url: str,
        open_timeout_s: float,
        read_timeout_s: float,
        options: Mapping[str, str],
    ) -> Format | None:
        """Open a URL or path with FFmpeg's `options`, and grab its first frame.

        Return None if FFmpeg finds no video there, or no frame in it. FFmpeg reports the reason on
        standard error only.
        """
        self.close()
        limits = (open_timeout_s, read_timeout_s)
        capture = connect(url, *limits, options)
        if capture is None:
            return None
        codec = video_capture.codec(capture)
        self._size = (
            int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )
        self._raw = codec == "mjpg" and _set_raw(capture)
        self._has_first = capture.grab()
        if self._raw and self._has_first and not _is_whole(capture, self._size):
            # Interlaced: a packet has two fields, and its first JPEG has every second line only.
            capture.release()
            self._raw = False
            capture = connect(url, *limits, options)
            if capture is None:
                return None
            self._has_first = capture.grab()
        self._capture = capture
        if not self._has_first:
            self.close()
            return None
        width, height = self._square(self._size)
        return Format(width, height, video_capture.plausible_fps(capture), codec)

    @property
    def passes_jpegs(self) -> bool:
        """Whether frames are the camera's own JPEGs, which are not decoded here."""
        return self._raw

    def grab(self) -> bool:
        """Advance to the next frame. Return False at the end, on an error and on a timeout."""
        if self._has_first:
            self._has_first = False
            return True
        return self._capture is not None and self._capture.grab()

    def position_s(self) -> float:
        """Return the timestamp of the grabbed frame in seconds."""
        return 0.0 if self._capture is None else video_capture.position_s(self._capture)

    def is_key_frame(self) -> bool:
        """Return whether the packet that was read for the grabbed frame is a key frame."""
        return self._capture is not None and video_capture.is_key_frame(self._capture)

    def uses_hardware(self) -> bool:
        """Return whether a device decodes the frames, and not the CPU."""
        return self._capture is not None and self._capture.get(cv2.CAP_PROP_HW_ACCELERATION) > 0

    def frame_count(self) -> int:
        """Return the container's number of frames, 0 or less if it names none."""
        return 0 if self._capture is None else int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))

    def retrieve(self) -> Picture:
        """Return the grabbed frame. Raises UndecodableFrameError."""
        picture = retrieve_frame(self._capture, self._raw, "FFmpeg could not decode a frame")
        if not isinstance(picture, bytes):
            return self._resize(picture)
        header = jpeg_header(picture)
        if (header.width, header.height) == self._size:
            return picture
        # FFmpeg's decoder also scales a picture whose size differs from the stream's.
        return self._resize(decode(picture), self._size)

    def close(self) -> None:
        """Release the capture."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None
        self._has_first = False

    def _resize(self, pixels: Pixels, size: tuple[int, int] | None = None) -> Pixels:
        own = (pixels.shape[1], pixels.shape[0])
        wanted = self._square(size or own)
        if wanted == own:
            return pixels
        return np.asarray(cv2.resize(pixels, wanted, interpolation=cv2.INTER_LINEAR), np.uint8)

    def _square(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the size with square pixels. The side that has too few pixels grows."""
        ratio = 1.0 if self._capture is None else aspect(self._capture)
        width, height = size
        wanted = (round(width * ratio), height) if ratio > 1 else (width, round(height / ratio))
        fits = max(wanted) <= MAX_SIDE and wanted[0] * wanted[1] <= MAX_PIXELS
        return wanted if fits else size


def _set_raw(capture: "cv2.VideoCapture") -> bool:
    """Request the camera's own JPEGs. Return False if the frames must be decoded.

    OpenCV and FfmpegReader apply the container's rotation and pixel aspect to pixels only.
    """
    is_upright = capture.get(cv2.CAP_PROP_ORIENTATION_META) == 0
    return is_upright and aspect(capture) == 1.0 and bool(capture.set(cv2.CAP_PROP_FORMAT, -1))


def _is_whole(capture: "cv2.VideoCapture", size: tuple[int, int]) -> bool:
    try:
        header = jpeg_header(retrieve_packet(capture))
    except UndecodableFrameError:
        return True  # a damaged frame does not describe the others
    return (header.width, header.height) == size
