"""Files as people have them: odd names, pixels, fields, clocks and formats."""

import logging
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from producer.filters import Pacer
from producer.picture import decode
from producer.source import (
    EndOfSourceError,
    NoSuchSourceError,
    Picture,
    Pixels,
    UndecodableFrameError,
)
from producer.sources.demo import DemoSource
from producer.sources.file import FileSource
from producer.sources.folder import FolderSource
from tests.peers.pictures import interlaced_avi, jpeg, picture, turned_tiff, write_video
from tests.producer.test_probe import run_probe

NOT_UTF8 = os.fsdecode(b"caf\xe9")


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def first(path: Path) -> Pixels:
    source = FileSource(path, False, 5, 5)
    opened = source.open()
    source.grab()
    try:
        shown: Picture = source.retrieve()
    finally:
        source.close()
    pixels = decode(shown) if isinstance(shown, bytes) else shown
    assert (opened.width, opened.height) == (pixels.shape[1], pixels.shape[0])
    return pixels


def test_gap_of_hours_between_timestamps_is_played_within_seconds() -> None:
    pacer = Pacer()
    assert pacer.wait_s(100.0, 0.0) == 0
    assert pacer.wait_s(100.0, 0.04) == pytest.approx(0.04)
    assert pacer.wait_s(100.04, 7200.0) <= 2
    assert pacer.wait_s(102.04, 7200.04) == pytest.approx(0.04)


@pytest.mark.parametrize("name", ["16:38:41.mp4", f"{NOT_UTF8}.mp4", "file:a.mp4"])
def test_video_is_read_with_any_file_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "a.mp4", "mp4v").rename(tmp_path / name)
    assert first(Path(name)).shape == (48, 64, 3)


def test_looped_video_with_an_odd_name_leaks_no_descriptors(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", "MJPG", frames=2).rename(tmp_path / f"{NOT_UTF8}.avi")
    source = FileSource(path, True, 5, 5)
    source.open()
    before = descriptors()
    for _ in range(20):
        source.grab()
    assert descriptors() <= before + 1
    source.close()


@pytest.mark.parametrize("name", [f"{NOT_UTF8}.jpg", f"{NOT_UTF8}.png"])
def test_folder_whose_name_is_not_utf8_is_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(64, 48))
    ok, content = cv2.imencode(Path(name).suffix, picture(64, 48))
    assert ok
    (tmp_path / name).write_bytes(content.tobytes())
    # In a process of its own: OpenCV's imread ends it by SIGSEGV.
    script = (
        "import sys; from pathlib import Path; from producer.sources.folder import FolderSource; "
        "source = FolderSource(Path(sys.argv[1]), 10, loop=False); source.open(); "
        "print([(source.grab(), source.retrieve().shape)[1] for _ in range(2)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[(48, 64, 3), (48, 64, 3)]\n"


def test_damaged_pictures_are_logged_once_with_a_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(64, 48))
    for number in range(7):
        (tmp_path / f"b{number}.png").write_bytes(b"not a picture")
    (tmp_path / f"{NOT_UTF8}.png").write_bytes(b"")
    source = FolderSource(tmp_path, 10, loop=False)
    source.open()
    with caplog.at_level(logging.WARNING):
        for _ in range(9):
            source.grab()
            with suppress(UndecodableFrameError):
                source.retrieve()
        with pytest.raises(EndOfSourceError):
            source.grab()
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning.startswith("8 of 9 pictures cannot be decoded: ")
    assert "b0.png" in warning
    assert "and 3 more" in warning
    warning.encode()


def test_picture_for_which_there_is_no_memory_is_damaged_and_the_next_is_read(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(64, 48))
    with (tmp_path / "b.png").open("wb") as file:
        file.truncate(250 << 20)
    (tmp_path / "c.jpg").write_bytes(jpeg(64, 48))
    script = (
        "import sys; from pathlib import Path; from producer.native import limit_memory\n"
        "from producer.source import UndecodableFrameError\n"
        "from producer.sources.folder import FolderSource\n"
        "limit_memory(); held = bytearray(300 << 20)\n"
        "source = FolderSource(Path(sys.argv[1]), 10, loop=False); source.open()\n"
        "for _ in range(3):\n"
        "    source.grab()\n"
        "    try: print(source.retrieve().shape)\n"
        "    except UndecodableFrameError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    first, second, third = done.stdout.splitlines()
    assert (first, third) == ("(48, 64, 3)", "(48, 64, 3)")
    assert second.endswith("b.png: takes more memory than a camera's process may use")


def test_damaged_frames_of_a_video_are_logged_in_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_video(tmp_path / "a.avi", "MJPG", frames=5)
    content = path.read_bytes()
    second = content.index(b"\xff\xd8\xff", content.index(b"\xff\xd8\xff") + 2)
    path.write_bytes(content[:second] + b"\0" * 8 + content[second + 8 :])
    source = FileSource(path, False, 5, 5)
    source.open()
    with caplog.at_level(logging.WARNING), suppress(EndOfSourceError):
        while True:
            source.grab()
            with suppress(UndecodableFrameError):
                source.retrieve()
    source.close()
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning.startswith("1 of 5 frames cannot be decoded, such as: ")


def test_picture_with_a_thousand_scans_does_not_hang_a_folder(tmp_path: Path) -> None:
    sound = jpeg(64, 48)
    (tmp_path / "a.jpg").write_bytes(
        sound[:-2] + 1000 * sound[sound.find(b"\xff\xda") : -2] + sound[-2:]
    )
    (tmp_path / "b.jpg").write_bytes(sound)
    source = FolderSource(tmp_path, 10, loop=False)
    source.open()
    source.grab()
    with pytest.raises(UndecodableFrameError, match="1001 scans"):
        source.retrieve()


def test_probe_examines_more_than_the_first_frame_of_a_short_file(tmp_path: Path) -> None:
    portrait = DemoSource()
    portrait.open()
    portrait.grab()
    shown = portrait.retrieve()
    assert not isinstance(shown, bytes)
    height, width = shown.shape[:2]
    writer = cv2.VideoWriter(
        str(tmp_path / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (width, height)
    )
    for frame in (np.zeros_like(shown), np.zeros_like(shown), shown):
        writer.write(frame)
    writer.release()
    assert "face seen    yes" in run_probe(str(tmp_path / "a.avi")).stdout


def test_fifo_named_like_a_picture_does_not_hang_the_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(jpeg(64, 48))
    source = FolderSource(tmp_path, 10, loop=False)
    assert source.open().width == 64


def test_fifo_as_a_source_is_refused_with_the_reason(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    with pytest.raises(NoSuchSourceError, match="not a file; a FIFO"):
        FileSource(tmp_path / "a.mp4", False, 5, 5).open()


def test_orientation_of_a_tiff_is_applied(tmp_path: Path) -> None:
    turned_tiff(tmp_path / "a.tiff", picture(64, 48, 5))
    source = FolderSource(tmp_path, 10, loop=False)
    source.open()
    source.grab()
    assert source.retrieve().shape == (64, 48, 3)


def circle(width: int, height: int) -> NDArray[np.uint8]:
    """A white circle on black, squeezed into these pixels."""
    round_ = np.zeros((240, 240, 3), np.uint8)
    cv2.circle(round_, (120, 120), 80, (255, 255, 255), -1)
    return np.asarray(cv2.resize(round_, (width, height)), np.uint8)


def extent(pixels: Pixels) -> tuple[int, int]:
    """Width and height of what is bright."""
    rows, columns = np.nonzero(pixels[:, :, 0] > 127)
    return int(np.ptp(columns)), int(np.ptp(rows))


@pytest.mark.parametrize("codec", ["mjpeg", "libx264"])
@pytest.mark.parametrize(("size", "aspect"), [((120, 240), "2/1"), ((240, 120), "1/2")])
def test_video_with_non_square_pixels_is_resized_to_square_pixels(
    codec: str, size: tuple[int, int], aspect: str, tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), circle(*size))
    subprocess.run(
        ["ffmpeg", "-v", "error", "-loop", "1", "-i", tmp_path / "a.png", "-t", "1", "-r", "5",
         "-vf", f"setsar={aspect}", "-c:v", codec, "-pix_fmt", "yuvj420p", tmp_path / "a.mkv"],
        check=True,
    )  # fmt: skip
    shown = first(tmp_path / "a.mkv")
    assert shown.shape == (240, 240, 3)
    across, down = extent(shown)
    assert across == pytest.approx(down, abs=6)


def test_interlaced_motion_jpeg_delivers_both_fields(tmp_path: Path) -> None:
    shown = first(interlaced_avi(tmp_path / "a.avi", circle(240, 240)))
    assert shown.shape == (240, 240, 3)
    across, down = extent(shown)
    assert across == pytest.approx(down, abs=6)
