"""Video files as they come: codecs, odd sizes, rotation, and the damaged."""

import logging
from pathlib import Path

import cv2
import pytest

from producer.picture import decode
from producer.source import (
    EndOfSourceError,
    Picture,
    Pixels,
    SourceUnavailableError,
    UndecodableFrameError,
)
from producer.sources.file import FileSource
from producer.sources.folder import FolderSource
from tests.peers.pictures import huge_png, jpeg, picture, turn_mp4, with_orientation, write_video


def read(path: Path) -> list[Picture | None]:
    """Every frame, None where one is damaged."""
    source, found = FileSource(path, False, 5, 5), list[Picture | None]()
    source.open()
    try:
        while True:
            source.grab()
            try:
                found.append(source.retrieve())
            except UndecodableFrameError:
                found.append(None)
    except EndOfSourceError:
        return found
    finally:
        source.close()


def pixels(content: Picture | None) -> Pixels:
    assert content is not None
    return decode(content) if isinstance(content, bytes) else content


@pytest.mark.parametrize(
    ("fourcc", "name"),
    [
        ("mp4v", "a.mp4"),
        ("XVID", "a.avi"),
        ("MJPG", "a.avi"),
        ("MJPG", "a.mov"),
        ("FFV1", "a.mkv"),
        ("VP80", "a.webm"),
        ("VP90", "a.webm"),
    ],
)
@pytest.mark.parametrize("size", [(64, 48), (322, 242)])
def test_every_codec_delivers_every_frame_in_order(
    fourcc: str, name: str, size: tuple[int, int], tmp_path: Path
) -> None:
    frames = read(write_video(tmp_path / name, fourcc, size, frames=8))
    assert len(frames) == 8
    brightness = [pixels(frame)[:, -10:].mean() for frame in frames]
    assert brightness == sorted(brightness)
    assert pixels(frames[0]).shape == (size[1], size[0], 3)


@pytest.mark.parametrize("size", [(321, 243), (33, 17)])
def test_odd_picture_sizes_are_kept(size: tuple[int, int], tmp_path: Path) -> None:
    # FFmpeg's encoders make them even; OpenCV's own does not.
    writer = cv2.VideoWriter(
        str(tmp_path / "a.avi"), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter.fourcc(*"MJPG"), 20, size
    )
    writer.write(picture(*size))
    writer.release()
    frames = read(tmp_path / "a.avi")
    assert pixels(frames[0]).shape == (size[1], size[0], 3)


def test_motion_jpeg_is_passed_through(tmp_path: Path) -> None:
    frames = read(write_video(tmp_path / "a.avi", "MJPG"))
    assert all(isinstance(frame, bytes) for frame in frames)


@pytest.mark.parametrize("fourcc", ["mp4v", "MJPG"])
def test_rotation_of_a_file_is_applied(fourcc: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", fourcc)
    turn_mp4(path)
    turned = pixels(read(path)[5])
    assert turned.shape == (64, 48, 3)
    assert turned[40:].min() > turned[:24].max()


def test_truncated_file_delivers_its_frames_and_logs_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_video(tmp_path / "a.avi", "MJPG", (640, 480), frames=20)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with caplog.at_level(logging.WARNING):
        frames = read(path)
    whole = [frame for frame in frames if frame is not None]
    assert 5 <= len(whole) < 15
    assert len(frames) - len(whole) <= 1
    assert "ends early" in caplog.text


def test_file_without_an_index_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", "mp4v", frames=30)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SourceUnavailableError, match="not a video that FFmpeg can read"):
        read(path)


def test_folder_delivers_valid_pictures_upright_in_order_of_name(
    tmp_path: Path,
) -> None:
    (tmp_path / "0.png").write_bytes(huge_png())
    cv2.imwrite(str(tmp_path / "1.png"), picture(64, 48, 1))
    (tmp_path / "2.jpg").write_bytes(b"not a picture")
    (tmp_path / "3.jpg").write_bytes(with_orientation(jpeg(64, 48), 6))
    source = FolderSource(tmp_path, 10, loop=False)
    assert source.open().width == 64
    source.grab()
    with pytest.raises(UndecodableFrameError, match=r"0\.png"):
        source.retrieve()
    source.grab()
    assert source.retrieve().shape == (48, 64, 3)
    source.grab()
    with pytest.raises(UndecodableFrameError, match=r"2\.jpg"):
        source.retrieve()
    source.grab()
    assert source.retrieve().shape == (64, 48, 3)
    with pytest.raises(EndOfSourceError):
        source.grab()
