"""What files, RTSP and HTTP share: OpenCV's FFmpeg backend."""

from producer import grabbed
from producer.opencv import cv2
from producer.source import Format, Picture


class FfmpegReader:
    """A cv2.VideoCapture on FFmpeg. MJPEG comes as the camera's own JPEG, all else as pixels."""

    def __init__(self) -> None:
        self._capture: cv2.VideoCapture | None = None
        self._raw = False

    def open(self, url: str, open_timeout_s: float, read_timeout_s: float) -> Format | None:
        """Open a URL or path; None where FFmpeg cannot, and says why on standard error only."""
        self.close()
        capture = cv2.VideoCapture(
            url,
            cv2.CAP_FFMPEG,
            [
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
                round(open_timeout_s * 1000),
                cv2.CAP_PROP_READ_TIMEOUT_MSEC,
                round(read_timeout_s * 1000),
                # With several, FFmpeg holds back a frame for each: latency for no need.
                cv2.CAP_PROP_N_THREADS,
                1,
            ],
        )
        if not capture.isOpened():
            capture.release()
            return None
        codec = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little", signed=True)
        rotated = capture.get(cv2.CAP_PROP_ORIENTATION_META) != 0
        # A rotation that the container asks for is applied while decoding only.
        self._raw = codec.upper() == b"MJPG" and not rotated
        if self._raw:
            self._raw = bool(capture.set(cv2.CAP_PROP_FORMAT, -1))
        self._capture = capture
        return Format(
            width=int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            height=int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
            fps=_plausible_fps(capture.get(cv2.CAP_PROP_FPS)),
            codec=codec.decode("ascii", "replace").strip("\0 ").lower(),
        )

    def grab(self) -> bool:
        """Advance; False at the end, on an error and when the read timeout is over."""
        return self._capture is not None and self._capture.grab()

    def position_s(self) -> float:
        """The timestamp of the frame that was grabbed."""
        return 0.0 if self._capture is None else self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000

    def frame_count(self) -> int:
        """How many frames the container claims; 0 or less where it does not."""
        return 0 if self._capture is None else int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))

    def retrieve(self) -> Picture:
        """The frame that was grabbed. Raises UndecodableFrame."""
        return grabbed.retrieve(self._capture, self._raw, "FFmpeg could not decode a frame")

    def close(self) -> None:
        """Release the capture."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None


def _plausible_fps(fps: float) -> float:
    # Streams without a rate report their time base instead: 90000 for RTP.
    return fps if 0 < fps <= 1000 else 0.0
